//! Certificates for tests, made by the `openssl` program.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::skip::skip;

/// A CA and the certificates it signed, in a directory.
pub(crate) struct Authority {
    directory: TempDir,
}

impl Authority {
    /// A new one; `None` without `openssl`, which is said.
    pub(crate) fn new() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("ca.cnf"), "[req]\ndistinguished_name = dn\nx509_extensions = ca\n[dn]\n[ca]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign\n").unwrap();
        let leaf =
            "basicConstraints = CA:FALSE\nsubjectAltName = IP:127.0.0.1\nextendedKeyUsage = serverAuth,clientAuth\n";
        fs::write(directory.path().join("leaf.cnf"), leaf).unwrap();
        let authority = Self { directory };
        let made = authority.openssl(&[
            "req",
            "-x509",
            "-config",
            "ca.cnf",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-subj",
            "/CN=test-ca",
            "-days",
            "2",
        ]);
        if !made {
            skip("openssl", "apt-get install openssl");
            return None;
        }
        Some(authority)
    }

    /// Makes a certificate for this subject, in `NAME.pem` with `NAME.key`.
    pub(crate) fn issue(&self, name: &str, subject: &str) -> &Self {
        let (key, request, certificate) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        assert!(self.openssl(&[
            "req",
            "-config",
            "ca.cnf",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &request,
            "-subj",
            subject,
        ]));
        assert!(self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "leaf.cnf",
            "-out",
            &certificate,
        ]));
        self
    }

    /// Makes certificates whose common names are these.
    pub(crate) fn issue_all(&self, names: &[&str]) {
        for name in names {
            self.issue(name, &format!("/O=Test/CN={name}"));
        }
    }

    fn openssl(&self, arguments: &[&str]) -> bool {
        let run = Command::new("openssl").args(arguments).current_dir(self.directory.path()).output();
        run.is_ok_and(|output| output.status.success())
    }

    pub(crate) fn path(&self, file: &str) -> String {
        self.directory.path().join(file).to_str().unwrap().to_owned()
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.directory.path().join(file)).unwrap()
    }

    /// Arguments by which `lintel` shows this certificate and trusts this CA.
    pub(crate) fn arguments(&self, name: &str) -> [String; 6] {
        let file = |file: String| self.path(&file);
        let (certificate, key) = (file(format!("{name}.pem")), file(format!("{name}.key")));
        ["--cert".into(), certificate, "--cert-key".into(), key, "--ca".into(), self.path("ca.pem")]
    }
}
