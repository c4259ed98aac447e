//! A maker of terminals: its CA of SM2 and what that signs, made by the `openssl` program.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::skip::skip;

/// The id that SM2 signs with, unless others agreed on another.
const ID: &str = "distid:1234567812345678";

/// A CA in a directory: `ca.pem` with `ca.key`, named `/CN=terminal-ca`.
pub(crate) struct Maker {
    directory: TempDir,
}

impl Maker {
    /// What a CA says of itself.
    pub(crate) const CA: &'static [&'static str] =
        &["basicConstraints = critical,CA:TRUE", "keyUsage = critical,keyCertSign"];
    /// What a terminal's certificate says of itself unless told otherwise.
    const TERMINAL: &'static [&'static str] = &["basicConstraints = CA:FALSE", "keyUsage = critical,keyEncipherment"];

    /// A new one; `None` without an `openssl` that knows SM2, which is said.
    pub(crate) fn new() -> Option<Self> {
        let maker = Self { directory: TempDir::new().unwrap() };
        let config =
            format!("[req]\ndistinguished_name = dn\nx509_extensions = ca\n[dn]\n[ca]\n{}\n", Self::CA.join("\n"));
        fs::write(maker.path("req.cnf"), config).unwrap();
        let made = maker.openssl(&["ecparam", "-genkey", "-name", "SM2", "-noout", "-out", "ca.key"])
            && maker.openssl(&[
                "req",
                "-x509",
                "-config",
                "req.cnf",
                "-key",
                "ca.key",
                "-sm3",
                "-sigopt",
                ID,
                "-subj",
                "/CN=terminal-ca",
                "-days",
                "2",
                "-out",
                "ca.pem",
            ]);
        if !made {
            skip("openssl with SM2", "apt-get install openssl (3.0 or later)");
            return None;
        }
        Some(maker)
    }

    /// Makes `NAME.pem` and `NAME.key` for a subject, with these extensions, or those of a terminal.
    pub(crate) fn issue(&self, name: &str, subject: &str, extensions: &[&str]) -> &Self {
        self.signed_by("ca", name, subject, extensions)
    }

    /// The same, signed by what was issued before.
    pub(crate) fn signed_by(&self, signer: &str, name: &str, subject: &str, extensions: &[&str]) -> &Self {
        let extensions = if extensions.is_empty() { Self::TERMINAL } else { extensions };
        fs::write(self.path("extensions.cnf"), extensions.join("\n")).unwrap();
        let file = |name: &str, end: &str| format!("{name}.{end}");
        let (key, request, certificate) = (file(name, "key"), file(name, "csr"), file(name, "pem"));
        assert!(self.openssl(&["ecparam", "-genkey", "-name", "SM2", "-noout", "-out", &key]));
        assert!(self.openssl(&[
            "req", "-new", "-config", "req.cnf", "-key", &key, "-sm3", "-sigopt", ID, "-subj", subject, "-out",
            &request,
        ]));
        assert!(self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-vfyopt",
            ID,
            "-CA",
            &file(signer, "pem"),
            "-CAkey",
            &file(signer, "key"),
            "-CAcreateserial",
            "-days",
            "2",
            "-sm3",
            "-sigopt",
            ID,
            "-extfile",
            "extensions.cnf",
            "-out",
            &certificate,
        ]));
        self
    }

    pub(crate) fn openssl(&self, arguments: &[&str]) -> bool {
        let run = Command::new("openssl").args(arguments).current_dir(self.directory.path()).output();
        run.is_ok_and(|output| output.status.success())
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    /// The public key of `NAME.key`, `04 ‖ x ‖ y`.
    pub(crate) fn point(&self, name: &str) -> Vec<u8> {
        let (key, public) = (format!("{name}.key"), format!("{name}.pub"));
        assert!(self.openssl(&["pkey", "-in", &key, "-pubout", "-outform", "DER", "-out", &public]));
        let der = fs::read(self.path(&public)).unwrap();
        der[der.len() - 65..].to_vec()
    }
}
