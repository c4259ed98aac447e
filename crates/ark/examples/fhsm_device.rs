//! A financial module for the tests, as a process of its own: keys under a master that only it has, commands over TCP, and
//! faults. Its layouts are written out here a second time, apart from the profile files that the tests give the crate.
//!
//! `fhsm_device text|binary FAULTS` listens on a free port, prints it, and ends when its standard input does. The file
//! FAULTS is read at each request, so that a test can break a module and heal it:
//!
//! | word | |
//! |---|---|
//! | `hang` | no answer, the connection stays |
//! | `drop` | the connection is closed instead of an answer |
//! | `cut_off` | and in the middle of one |
//! | `previous` | the answer before this one again, as it was |
//! | `header`, `code` | another header, the code of another command |
//! | `length=N` | the frame says that it has N bytes |
//! | `short`, `long` | the fields are a byte less or more |
//! | `unasked` | behind the answer another one |
//! | `status=XX` | that status |
#![expect(clippy::print_stdout, reason = "the tests read the port there")]

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    sync::Arc,
    thread,
};

use ark::{
    Financial as _, Secret, Soft,
    financial::{PinSide, Purpose, TerminalCipher, TerminalKey, TerminalMac, Track, TrackForm, TrackSide},
    provider::KeyError,
    sm4_gcm::Sm4Key,
};
use des::{
    TdesEde2,
    cipher::{BlockCipherDecrypt as _, KeyInit as _},
};

const MASTER: [u8; 16] = *b"the master's key";
/// Under it keys leave the soft provider, to be put under the master.
const WAY_OUT: [u8; 16] = *b"way out of soft!";
const OK: u8 = 0;
const DECRYPTION: u8 = 10;
const TAG: u8 = 20;
const NO_KEY: u8 = 30;
const UNSUPPORTED: u8 = 60;
const FORM: u8 = 99;

const CODES: [&str; 13] = ["NO", "GK", "FK", "IK", "XK", "CV", "MA", "MV", "PT", "TE", "TT", "DK", "ZC"];
const PURPOSES: [(u8, Purpose); 5] = [
    (b'M', Purpose::Master),
    (b'P', Purpose::Pin),
    (b'A', Purpose::Mac),
    (b'D', Purpose::Data),
    (b'V', Purpose::Derive),
];
const CIPHERS: [(u8, TerminalCipher); 3] =
    [(b'D', TerminalCipher::Des), (b'T', TerminalCipher::TripleDes2), (b'S', TerminalCipher::Sm4)];

type Done<T> = Result<T, u8>;

struct Module {
    soft: Soft,
    way_out: TerminalKey,
    binary: bool,
    faults: String,
}

/// What is left of a request.
struct Request<'a> {
    module: &'a Module,
    rest: &'a [u8],
}

fn letter<T: Copy>(table: &[(u8, T)], byte: u8) -> Done<T> {
    table.iter().find(|(letter, _)| *letter == byte).map(|(_, value)| *value).ok_or(FORM)
}

fn letter_of<T: Copy + PartialEq>(table: &[(u8, T)], value: T) -> u8 {
    table.iter().find(|(_, known)| *known == value).map_or(b'?', |(letter, _)| *letter)
}

fn status_of(error: &KeyError) -> u8 {
    match error.code() {
        "decryption_failed" => DECRYPTION,
        "tag_mismatch" => TAG,
        _ => FORM,
    }
}

impl<'a> Request<'a> {
    fn take(&mut self, length: usize) -> Done<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(FORM)?;
        self.rest = rest;
        Ok(taken)
    }

    fn one<T: Copy>(&mut self, table: &[(u8, T)]) -> Done<T> {
        letter(table, self.take(1)?[0])
    }

    fn number(&mut self, digits: usize) -> Done<usize> {
        std::str::from_utf8(self.take(digits)?).ok().and_then(|text| text.parse().ok()).ok_or(FORM)
    }

    /// So many bytes, in this module's coding.
    fn bytes(&mut self, length: usize) -> Done<Vec<u8>> {
        if self.module.binary {
            return self.take(length).map(<[u8]>::to_vec);
        }
        hex::decode(self.take(2 * length)?).map_err(|_| FORM)
    }

    /// Behind their length as it is written.
    fn counted(&mut self, digits: usize) -> Done<Vec<u8>> {
        let written = self.number(digits)?;
        self.bytes(if self.module.binary { written } else { written / 2 })
    }

    fn text(&mut self, digits: usize) -> Done<String> {
        let length = self.number(digits)?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| FORM)
    }

    /// A key, opened for `purpose`; by index, or under the master.
    fn key(&mut self, purpose: Purpose) -> Done<(TerminalKey, TerminalCipher)> {
        let first = self.take(1)?[0];
        if first == b'K' {
            let index = self.number(3)?;
            let known = [(1, Purpose::Master), (2, Purpose::Pin)];
            if !known.contains(&(index, purpose)) {
                return Err(NO_KEY);
            }
            let bytes = &ark::sm3(&[u8::try_from(index).map_err(|_| NO_KEY)?])[..16];
            return Ok((self.module.load(purpose, TerminalCipher::TripleDes2, bytes)?, TerminalCipher::TripleDes2));
        }
        let cipher = letter(&CIPHERS, first)?;
        let stored = self.bytes(cipher.key_length() + 28)?;
        let clear = self.module.open(letter_of(&PURPOSES, purpose), cipher, &stored)?;
        Ok((self.module.load(purpose, cipher, &clear)?, cipher))
    }
}

impl Module {
    fn new(binary: bool, faults: String) -> Self {
        let soft = Soft::new().expect("self-tests pass");
        let zeros: &[u8] = &[0; 16];
        let way_out = soft
            .form_terminal_key(Purpose::Master, TerminalCipher::TripleDes2, &[&WAY_OUT, zeros])
            .expect("a key of two parts");
        Self { soft, way_out, binary, faults }
    }

    fn load(&self, purpose: Purpose, cipher: TerminalCipher, clear: &[u8]) -> Done<TerminalKey> {
        let zeros = vec![0; clear.len()];
        self.soft.form_terminal_key(purpose, cipher, &[clear, &zeros]).map_err(|error| status_of(&error))
    }

    fn open(&self, purpose: u8, cipher: TerminalCipher, stored: &[u8]) -> Done<Vec<u8>> {
        let associated = [purpose, letter_of(&CIPHERS, cipher)];
        Sm4Key::from_bytes(MASTER).open(&associated, stored).map(|clear| clear.to_vec()).map_err(|_| DECRYPTION)
    }

    fn seal(&self, purpose: u8, cipher: TerminalCipher, clear: &[u8]) -> Done<Vec<u8>> {
        let associated = [purpose, letter_of(&CIPHERS, cipher)];
        Sm4Key::from_bytes(MASTER).seal(&associated, clear).map_err(|_| FORM)
    }

    fn code(&self, bytes: &[u8]) -> Vec<u8> {
        if self.binary { bytes.to_vec() } else { hex::encode_upper(bytes).into_bytes() }
    }

    fn counted(&self, bytes: &[u8], digits: usize) -> Vec<u8> {
        let written = self.code(bytes);
        [format!("{:0digits$}", written.len()).into_bytes(), written].concat()
    }

    /// A key that was made, as it goes out: its cipher's letter, the ciphertext, the check value.
    fn made(&self, purpose: Purpose, cipher: TerminalCipher, key: Result<TerminalKey, KeyError>) -> Done<Vec<u8>> {
        let key = key.map_err(|error| status_of(&error))?;
        let mut clear = self.soft.export_terminal_key(key, self.way_out).map_err(|_| FORM)?;
        let way_out = TdesEde2::new(&WAY_OUT.into());
        for block in clear.chunks_exact_mut(8) {
            let block: &mut [u8; 8] = block.try_into().expect("8 bytes");
            way_out.decrypt_block(block.into());
        }
        let stored = self.seal(letter_of(&PURPOSES, purpose), cipher, &clear)?;
        let check = self.soft.terminal_check_value(key).map_err(|_| FORM)?;
        Ok([vec![letter_of(&CIPHERS, cipher)], self.code(&stored), self.code(&check)].concat())
    }

    fn answer(&self, code: &str, body: &[u8]) -> Done<Vec<u8>> {
        let mut request = Request { module: self, rest: body };
        let fields = match code {
            "NO" => Ok(b"SIM1".to_vec()),
            "GK" | "FK" | "IK" | "DK" => self.make(code, &mut request),
            "XK" | "CV" | "ZC" => self.show(code, &mut request),
            "MA" | "MV" => self.authenticate(code, &mut request),
            "PT" => self.pin(&mut request),
            "TE" | "TT" => self.track(code, &mut request),
            _ => Err(UNSUPPORTED),
        }?;
        if request.rest.is_empty() { Ok(fields) } else { Err(FORM) }
    }

    fn make(&self, code: &str, request: &mut Request<'_>) -> Done<Vec<u8>> {
        let purpose = request.one(&PURPOSES)?;
        if code == "DK" {
            let (from, cipher) = request.key(Purpose::Derive)?;
            let factor = request.bytes(8)?.try_into().map_err(|_| FORM)?;
            return self.made(purpose, cipher, self.soft.derive_terminal_key(purpose, from, &factor));
        }
        let cipher = request.one(&CIPHERS)?;
        let key = match code {
            "GK" => self.soft.generate_terminal_key(purpose, cipher),
            "FK" => {
                let count = request.number(1)?;
                let component = |_| self.open(b'C', cipher, &request.bytes(cipher.key_length() + 28)?);
                let components: Vec<Vec<u8>> = (0..count).map(component).collect::<Done<_>>()?;
                let components: Vec<&[u8]> = components.iter().map(Vec::as_slice).collect();
                self.soft.form_terminal_key(purpose, cipher, &components)
            }
            _ => {
                let (under, _) = request.key(Purpose::Master)?;
                let (encrypted, check) = (request.counted(3)?, request.counted(2)?);
                self.soft.import_terminal_key(purpose, cipher, &encrypted, &check, under)
            }
        };
        self.made(purpose, cipher, key)
    }

    fn show(&self, code: &str, request: &mut Request<'_>) -> Done<Vec<u8>> {
        let purpose = request.one(&PURPOSES)?;
        if code == "ZC" {
            // What a custodian does at the console of a real one.
            let cipher = request.one(&CIPHERS)?;
            let clear = request.bytes(cipher.key_length())?;
            return self.seal(b'C', cipher, &clear).map(|sealed| self.code(&sealed));
        }
        let (key, _) = request.key(purpose)?;
        if code == "CV" {
            return self.soft.terminal_check_value(key).map(|check| self.code(&check)).map_err(|e| status_of(&e));
        }
        let (under, _) = request.key(Purpose::Master)?;
        let encrypted = self.soft.export_terminal_key(key, under).map_err(|error| status_of(&error))?;
        Ok(self.counted(&encrypted, 3))
    }

    fn authenticate(&self, code: &str, request: &mut Request<'_>) -> Done<Vec<u8>> {
        let forms =
            [(b'1', TerminalMac::Ecb), (b'2', TerminalMac::Cbc), (b'3', TerminalMac::X919), (b'4', TerminalMac::Cmac)];
        let (form, (key, _)) = (request.one(&forms)?, request.key(Purpose::Mac)?);
        let length = request.number(4)?;
        let message = request.take(length)?;
        if code == "MA" {
            return self.soft.terminal_mac(key, form, message).map(|mac| self.code(&mac)).map_err(|e| status_of(&e));
        }
        let mac = request.bytes(8)?;
        self.soft.check_terminal_mac(key, form, message, &mac).map(|()| Vec::new()).map_err(|e| status_of(&e))
    }

    fn pin(&self, request: &mut Request<'_>) -> Done<Vec<u8>> {
        let ((from, _), (to, _)) = (request.key(Purpose::Pin)?, request.key(Purpose::Pin)?);
        let (card, card_to, block) = (request.text(2)?, request.text(2)?, request.counted(2)?);
        let (from, to) = (PinSide { key: from, card_number: &card }, PinSide { key: to, card_number: &card_to });
        let block = self.soft.translate_pin(from, to, &block).map_err(|error| status_of(&error))?;
        Ok(self.counted(&block, 2))
    }

    fn track(&self, code: &str, request: &mut Request<'_>) -> Done<Vec<u8>> {
        let forms = [(b'W', TrackForm::Whole), (b'T', TrackForm::Tail)];
        let track = request.one(&[(b'2', Track::Two), (b'3', Track::Three)])?;
        let form = request.one(&forms)?;
        let counted = |text: &str| format!("{:03}{text}", text.len());
        if code == "TE" {
            let key = request.key(Purpose::Data)?.0;
            let text = Secret::new(request.text(3)?);
            let encrypted = self.soft.encrypt_track(TrackSide { key, form }, track, &text);
            return encrypted.map(|text| counted(&text).into_bytes()).map_err(|error| status_of(&error));
        }
        let form_to = request.one(&forms)?;
        let ((key, _), (to, _)) = (request.key(Purpose::Data)?, request.key(Purpose::Data)?);
        let (from, to) = (TrackSide { key, form }, TrackSide { key: to, form: form_to });
        let translated = self.soft.translate_track(from, to, track, &request.text(3)?);
        let translated = translated.map_err(|error| status_of(&error))?;
        let card = translated.card_number.expose();
        Ok(format!("{:02}{card}{}", card.len(), counted(&translated.track)).into_bytes())
    }

    fn faults(&self) -> String {
        fs::read_to_string(&self.faults).unwrap_or_default()
    }

    /// One connection: a request, its answer, until someone closes it.
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut previous: Vec<u8> = Vec::new();
        loop {
            let mut length = vec![0; if self.binary { 4 } else { 2 }];
            stream.read_exact(&mut length)?;
            let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            let mut frame = vec![0; length];
            stream.read_exact(&mut frame)?;
            let frame = self.respond(&frame);
            let faults = self.faults();
            for fault in faults.split_whitespace() {
                match fault {
                    "hang" => {
                        // Until the other side gives up.
                        stream.read_to_end(&mut Vec::new())?;
                        return Ok(());
                    }
                    "drop" => return Ok(()),
                    "cut_off" => return stream.write_all(&frame[..frame.len() - 1]),
                    "previous" => {
                        stream.write_all(&previous)?;
                    }
                    "unasked" => stream.write_all(&[frame.clone(), frame.clone()].concat())?,
                    _ => {}
                }
            }
            if !faults.contains("previous") && !faults.contains("unasked") {
                stream.write_all(&frame)?;
            }
            previous = frame;
        }
    }

    /// The frame of an answer, with what is wrong in it.
    fn respond(&self, frame: &[u8]) -> Vec<u8> {
        let width: usize = if self.binary { 0 } else { 10 };
        let (header, rest) = frame.split_at(width.min(frame.len()));
        let (code, body) = rest.split_at(2.min(rest.len()));
        let place = if self.binary { code.get(1).map(|number| usize::from(*number)) } else { None };
        let name = place.and_then(|place| CODES.get(place).copied()).map_or(code, str::as_bytes);
        let result = self.answer(&String::from_utf8_lossy(name), body);
        let (mut status, mut fields) = match result {
            Ok(fields) => (OK, fields),
            Err(status) => (status, Vec::new()),
        };
        let (mut header, mut code) = (header.to_vec(), code.to_vec());
        // The answer's code is the command's with its first byte one higher.
        code[0] = code[0].wrapping_add(1);
        let mut said = None;
        for fault in self.faults().split_whitespace() {
            match fault.split_once('=').unwrap_or((fault, "")) {
                ("header", _) => header.iter_mut().for_each(|byte| *byte ^= 1),
                ("code", _) => code[1] ^= 1,
                ("short", _) => drop(fields.pop()),
                ("long", _) => fields.push(b'0'),
                ("length", number) => said = number.parse().ok(),
                ("status", number) => (status, fields) = (number.parse().unwrap_or(FORM), Vec::new()),
                _ => {}
            }
        }
        let status = if self.binary { vec![status] } else { format!("{status:02}").into_bytes() };
        let answer = [header, code, status, fields].concat();
        let length = said.unwrap_or(u32::try_from(answer.len()).expect("short")).to_be_bytes();
        let width: usize = if self.binary { 0 } else { 2 };
        [&length[width..], &answer].concat()
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [dialect, faults] = arguments.as_slice() else {
        println!("usage: fhsm_device text|binary FAULTS");
        return ExitCode::FAILURE;
    };
    let module = Arc::new(Module::new(dialect == "binary", faults.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("bound").port());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let module = Arc::clone(&module);
            // A connection that ends is no matter of the module's.
            thread::spawn(move || drop(module.serve(stream)));
        }
    });
    // Whoever started it holds the other end.
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
    ExitCode::SUCCESS
}
