//! A terminal in this process, with ciphers of its own: it keeps what a real one keeps, and speaks over TCP.

use des::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use des::{Des, TdesEde2};
use iso8583::{Builder, Message, Profile};
use sm4::Sm4;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A block cipher with its key.
#[derive(Clone)]
pub(crate) enum Cipher {
    Sm4(Box<Sm4>),
    TripleDes(TdesEde2),
    Des(Des),
}

impl Cipher {
    pub(crate) fn sm4(key: &[u8]) -> Self {
        Self::Sm4(Box::new(Sm4::new_from_slice(key).unwrap()))
    }

    pub(crate) fn triple_des(key: &[u8]) -> Self {
        Self::TripleDes(TdesEde2::new_from_slice(key).unwrap())
    }

    fn block(&self) -> usize {
        if let Self::Sm4(_) = self { 16 } else { 8 }
    }

    pub(crate) fn encrypt(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for block in bytes.chunks_exact_mut(self.block()) {
            match self {
                Self::Sm4(cipher) => cipher.encrypt_block(block.try_into().unwrap()),
                Self::TripleDes(cipher) => cipher.encrypt_block(block.try_into().unwrap()),
                Self::Des(cipher) => cipher.encrypt_block(block.try_into().unwrap()),
            }
        }
        bytes
    }

    fn decrypt(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for block in bytes.chunks_exact_mut(self.block()) {
            match self {
                Self::Sm4(cipher) => cipher.decrypt_block(block.try_into().unwrap()),
                Self::TripleDes(cipher) => cipher.decrypt_block(block.try_into().unwrap()),
                Self::Des(cipher) => cipher.decrypt_block(block.try_into().unwrap()),
            }
        }
        bytes
    }

    /// The MAC of pos.md.
    pub(crate) fn mac(&self, bytes: &[u8]) -> Vec<u8> {
        let mut sum = vec![0; self.block()];
        for block in bytes.chunks(self.block()) {
            block.iter().zip(&mut sum).for_each(|(byte, sum)| *sum ^= byte);
        }
        let text = hex::encode_upper(&sum).into_bytes();
        let mut state = self.encrypt(&text[..self.block()]);
        state.iter_mut().zip(&text[self.block()..]).for_each(|(state, last)| *state ^= last);
        hex::encode_upper(self.encrypt(&state)).into_bytes()[..8].to_vec()
    }

    /// The PIN block of pos.md.
    pub(crate) fn pin(&self, pin: &str, card: &str) -> Vec<u8> {
        let digits = 2 * self.block();
        let block = format!("{:F<digits$}", format!("{:02}{pin}", pin.len()));
        let own = &card[..card.len() - 1];
        let card = format!("{:0>digits$}", &own[own.len() - 12..]);
        let [block, card] = [block, card].map(|text| hex::decode(text).unwrap());
        let sum: Vec<u8> = block.iter().zip(card).map(|(one, other)| one ^ other).collect();
        self.encrypt(&sum)
    }
}

/// The work keys of a sign-in.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) pin: Cipher,
    pub(crate) mac: Cipher,
}

/// A terminal.
pub(crate) struct Device {
    address: std::net::SocketAddr,
    stream: TcpStream,
    layout: Profile,
    number: String,
    merchant: String,
    master: Cipher,
    pub(crate) work: Option<Work>,
    pub(crate) batch: u32,
    trace: u32,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) mti: String,
    /// By number, as text; bytes in hexadecimal.
    pub(crate) fields: std::collections::BTreeMap<u8, String>,
    /// The header's processing request.
    pub(crate) asks: u8,
    /// Whether its MAC is right; `None` without one.
    pub(crate) proved: Option<bool>,
}

impl Heard {
    #[track_caller]
    pub(crate) fn is(&self, code: &str) -> &Self {
        assert_eq!(self.fields[&39], code, "{self:?}");
        self
    }
}

impl Device {
    pub(crate) async fn connect(address: std::net::SocketAddr, number: &str, merchant: &str, master: Cipher) -> Self {
        let mut layout = Profile::parse(iso8583::profile::POS_TERMINAL).unwrap();
        if let Cipher::Sm4(_) = master {
            layout = layout.resized(52, 16).unwrap();
        }
        let (number, merchant) = (number.to_owned(), merchant.to_owned());
        let stream = TcpStream::connect(address).await.unwrap();
        Self { address, stream, layout, number, merchant, master, work: None, batch: 1, trace: 0 }
    }

    pub(crate) async fn connect_again(&mut self) {
        assert!(self.try_connect_again().await);
    }

    /// The same, of a platform that may not be there.
    pub(crate) async fn try_connect_again(&mut self) -> bool {
        let Ok(stream) = TcpStream::connect(self.address).await else { return false };
        self.stream = stream;
        true
    }

    pub(crate) async fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 1]).await, Ok(0) | Err(_))
    }

    pub(crate) fn next_trace(&mut self) -> u32 {
        self.trace += 1;
        self.trace
    }

    /// The bytes of a message; `None` of a field leaves it out.
    pub(crate) fn message(&self, mti: &str, fields: &[(u8, &str)], mac: Option<&Cipher>) -> Vec<u8> {
        let mut builder = Builder::new(&self.layout, *mti.as_bytes().first_chunk().unwrap()).unwrap();
        builder.text(41, &self.number).unwrap().text(42, &self.merchant).unwrap();
        for (number, text) in fields {
            use iso8583::profile::Format;
            match self.layout.field(*number).unwrap().format {
                Format::N | Format::Z => builder.digits(*number, text).unwrap(),
                Format::An | Format::Ans => builder.text(*number, text).unwrap(),
                Format::B => builder.bytes(*number, &hex::decode(text).unwrap()).unwrap(),
            };
        }
        let Some(mac) = mac else { return builder.encode().unwrap() };
        let mut bytes = builder.bytes(64, &[0; 8]).unwrap().encode().unwrap();
        let at = bytes.len() - 8;
        let tag = mac.mac(&bytes[..at]);
        bytes[at..].copy_from_slice(&tag);
        bytes
    }

    /// Sends without waiting for the answer.
    pub(crate) async fn send(&mut self, message: &[u8]) {
        self.try_send(message).await.unwrap();
    }

    /// The same; `None` where the connection is gone.
    pub(crate) async fn try_send(&mut self, message: &[u8]) -> Option<()> {
        let content =
            [&hex::decode("6000030000").unwrap()[..], &hex::decode("603100311234").unwrap(), message].concat();
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&length[..], &content].concat()).await.ok()
    }

    pub(crate) async fn hear(&mut self) -> Heard {
        self.try_hear().await.expect("an answer")
    }

    /// The same; `None` where the connection ends first.
    pub(crate) async fn try_hear(&mut self) -> Option<Heard> {
        let mut length = [0; 2];
        self.stream.read_exact(&mut length).await.ok()?;
        let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
        self.stream.read_exact(&mut frame).await.ok()?;
        let layout = Profile::parse(iso8583::profile::POS_TERMINAL).unwrap();
        let message = Message::decode(&layout, &frame[11..]).unwrap();
        let mut fields = std::collections::BTreeMap::new();
        for number in message.fields() {
            let text = match message.value(number).unwrap() {
                iso8583::Value::Digits(digits) => digits.iter().map(char::from).collect(),
                iso8583::Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
                iso8583::Value::Bytes(bytes) | iso8583::Value::Hex(bytes) => hex::encode_upper(bytes),
            };
            fields.insert(number, text);
        }
        let proved = message.before(64).map(|covered| {
            let work = self.work.as_ref().expect("whoever gets a MAC has a key");
            message.bytes(64).unwrap() == work.mac.mac(covered)
        });
        let mti = String::from_utf8_lossy(&message.mti()).into_owned();
        Some(Heard { mti, fields, asks: frame[7] & 0x0F, proved })
    }

    /// Sends with the MAC that it has, and hears the answer.
    pub(crate) async fn ask(&mut self, mti: &str, fields: &[(u8, &str)]) -> Heard {
        let mac = self.work.as_ref().map(|work| work.mac.clone());
        let message = self.message(mti, fields, mac.as_ref());
        self.send(&message).await;
        self.hear().await
    }

    /// Sends without a MAC.
    pub(crate) async fn ask_plainly(&mut self, mti: &str, fields: &[(u8, &str)]) -> Heard {
        let message = self.message(mti, fields, None);
        self.send(&message).await;
        self.hear().await
    }

    /// Field 60 of a transaction of this type in this batch.
    pub(crate) fn kind(&self, kind: &str) -> String {
        format!("{kind}{:06}000500", self.batch)
    }

    pub(crate) async fn sign_in(&mut self, serial: &str) -> Heard {
        self.try_sign_in(serial).await.expect("an answer")
    }

    /// The same; `None` where the connection ends first.
    pub(crate) async fn try_sign_in(&mut self, serial: &str) -> Option<Heard> {
        let serial = hex::encode(format!("Sequence No{:02}{serial}", serial.len()));
        let trace = format!("{:06}", self.next_trace());
        let asked = [(11, trace.as_str()), (60, "00000001003"), (62, &serial), (63, "01 ")];
        let message = self.message("0800", &asked, None);
        self.try_send(&message).await?;
        let heard = self.try_hear().await?;
        if heard.fields[&39] == "00" {
            self.take_keys(&hex::decode(&heard.fields[&62]).unwrap());
            self.batch = heard.fields[&60][2..8].parse().unwrap();
        }
        Some(heard)
    }

    /// Takes the work keys of field 62, whose check values must be theirs.
    fn take_keys(&mut self, keys: &[u8]) {
        assert_eq!(keys.len(), 40);
        let clear = self.master.decrypt(&keys[..16]);
        let (pin, mac) = match self.master {
            Cipher::Sm4(_) => (Cipher::sm4(&clear), Cipher::sm4(&self.master.decrypt(&keys[20..36]))),
            Cipher::TripleDes(_) | Cipher::Des(_) => {
                assert_eq!(keys[28..36], [0; 8]);
                let mac = self.master.decrypt(&keys[20..28]);
                (Cipher::triple_des(&clear), Cipher::Des(Des::new_from_slice(&mac).unwrap()))
            }
        };
        for (key, check) in [(&pin, &keys[16..20]), (&mac, &keys[36..])] {
            assert_eq!(&key.encrypt(&vec![0; key.block()])[..4], check);
        }
        self.work = Some(Work { pin, mac });
    }
}
