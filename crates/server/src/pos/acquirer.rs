//! An acquirer's profile: what of the dialect no public text settles, as data.
//!
//! A profile that was read is consistent: fields and parts that it speaks of are in the messages' own profile, codes are two
//! characters.

pub(crate) mod further;
mod security;

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use domain::card_transaction::CardKind;
use domain::terminal_parameter::ParameterPart;
use iso8583::{Message, Profile, Value};
use serde::Deserialize;

use self::further::{Further, FurtherFile};
use self::security::SecurityFile;
pub(crate) use self::security::{CheckAt, Security};
use super::bin::{Bins, CardLine};
use super::frame::SHORTEST;

/// What is used unless a file is named.
const BUILT_IN: &str = include_str!("../../acquirers/unionpay.toml");
/// The part of field 60 that says what a terminal wants of the platform itself.
const NETWORK_CODE: &str = "network code";
/// The part of field 60 that says what kind of transaction it is.
const TRANSACTION_TYPE: &str = "transaction type";

/// What a terminal wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// 余额查询
    Balance,
    /// 消费
    Sale,
    /// 被扫消费
    QrSale,
    /// 消费撤销
    Void,
    /// 预授权
    PreAuthorisation,
    /// 预授权撤销
    PreAuthorisationCancel,
    /// 预授权完成
    Completion,
    /// 预授权完成撤销
    CompletionVoid,
    /// 预授权完成通知
    CompletionAdvice,
    /// 退货
    Refund,
    /// 离线消费
    OfflineSale,
    /// 结算调整
    Adjustment,
    /// 小费
    Tip,
    /// 冲正
    Reversal,
    /// 脚本处理结果通知
    ScriptResults,
    /// 签到
    SignIn,
    /// 签退
    SignOut,
    /// 批结算
    BatchClose,
    /// 批上送
    BatchUpload,
    /// 批上送结束
    BatchUploadEnd,
    /// 公钥查询
    PublicKeyList,
    /// 公钥下载
    PublicKeyDownload,
    /// 公钥下载结束
    PublicKeyEnd,
    /// IC 卡参数查询
    ApplicationList,
    /// IC 卡参数下载
    ApplicationDownload,
    /// IC 卡参数下载结束
    ApplicationEnd,
    /// 终端参数下载
    SettingsDownload,
    /// 终端参数下载结束
    SettingsEnd,
    /// 主密钥下载
    MasterKey,
}

impl Kind {
    /// What the books call it; nothing of what is not booked.
    pub(crate) fn booked(self) -> Option<CardKind> {
        match self {
            Self::Sale => Some(CardKind::Sale),
            Self::QrSale => Some(CardKind::QrSale),
            Self::Void => Some(CardKind::Void),
            Self::PreAuthorisation => Some(CardKind::PreAuthorisation),
            Self::PreAuthorisationCancel => Some(CardKind::PreAuthorisationCancel),
            Self::Completion => Some(CardKind::Completion),
            Self::CompletionVoid => Some(CardKind::CompletionVoid),
            Self::CompletionAdvice => Some(CardKind::CompletionAdvice),
            Self::Refund => Some(CardKind::Refund),
            Self::OfflineSale => Some(CardKind::Offline),
            Self::Adjustment | Self::Tip => Some(CardKind::Adjustment),
            Self::Balance
            | Self::Reversal
            | Self::ScriptResults
            | Self::SignIn
            | Self::SignOut
            | Self::BatchClose
            | Self::BatchUpload
            | Self::BatchUploadEnd
            | Self::PublicKeyList
            | Self::PublicKeyDownload
            | Self::PublicKeyEnd
            | Self::ApplicationList
            | Self::ApplicationDownload
            | Self::ApplicationEnd
            | Self::SettingsDownload
            | Self::SettingsEnd
            | Self::MasterKey => None,
        }
    }

    /// Whether it is only believed with a MAC: what books, what takes back, what shows a balance, what goes on to the network.
    pub(crate) fn needs_mac(self) -> bool {
        self.booked().is_some() || matches!(self, Self::Balance | Self::Reversal | Self::ScriptResults)
    }
}

/// By what a reversal names what it takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReversalNames {
    /// By its own trace and batch, which are the original's.
    OwnTrace,
    /// By field 61.
    Original,
}

/// What field 4 of an adjustment or a tip is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Adjusted {
    /// What it adds.
    Added,
    /// The sale with what it adds.
    Whole,
}

/// Whether something that not all terminals send is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lri {
    Accepted,
    Refused,
}

/// What becomes of a message that finds the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Overload {
    Answer,
    Close,
}

/// Values of field 39.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Codes {
    pub(crate) approved: String,
    pub(crate) invalid_transaction: String,
    pub(crate) format_error: String,
    pub(crate) overloaded: String,
    pub(crate) unknown_terminal: String,
    pub(crate) unknown_merchant: String,
    pub(crate) not_signed_in: String,
    pub(crate) foreign_serial: String,
    pub(crate) card_number: String,
    pub(crate) no_issuer: String,
    pub(crate) not_supported: String,
    pub(crate) unreachable: String,
    pub(crate) system: String,
    pub(crate) no_answer: String,
    pub(crate) pin_wrong: String,
    pub(crate) mac_wrong: String,
}

impl Codes {
    fn all(&self) -> [&String; 16] {
        [
            &self.approved,
            &self.invalid_transaction,
            &self.format_error,
            &self.overloaded,
            &self.unknown_terminal,
            &self.unknown_merchant,
            &self.not_signed_in,
            &self.foreign_serial,
            &self.card_number,
            &self.no_issuer,
            &self.not_supported,
            &self.unreachable,
            &self.system,
            &self.no_answer,
            &self.pin_wrong,
            &self.mac_wrong,
        ]
    }
}

/// The file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    messages: String,
    largest_frame: usize,
    lri: Lri,
    overload: Overload,
    repeated: Vec<u8>,
    date: u8,
    time: u8,
    echo: Vec<Echo>,
    requests: Vec<Request>,
    downloads: Downloads,
    reversal_names: ReversalNames,
    adjusted: Adjusted,
    codes: Codes,
    transactions: Vec<Line>,
    cards: Vec<CardLine>,
    further: FurtherFile,
    security: SecurityFile,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Echo {
    mti: String,
    network_code: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    codes: Vec<String>,
    digit: u8,
}

/// By which digit of its header a terminal is asked to download a part of its parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Downloads {
    public_keys: u8,
    applications: u8,
    settings: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    kind: Kind,
    mti: String,
    processing: Option<String>,
    condition: Option<String>,
    entry: Option<String>,
    r#type: Option<String>,
    network_code: Option<String>,
}

/// A part of a field: its number, and which of its parts.
type Part = (u8, usize);

/// How one acquirer's terminals speak.
#[derive(Debug)]
pub(crate) struct Acquirer {
    pub(crate) name: String,
    pub(crate) messages: Profile,
    /// Bytes of a frame behind its length.
    pub(crate) largest_frame: usize,
    pub(crate) lri: Lri,
    pub(crate) overload: Overload,
    pub(crate) repeated: Vec<u8>,
    /// The fields of date (MMDD) and time (hhmmss).
    pub(crate) date: u8,
    pub(crate) time: u8,
    pub(crate) codes: Codes,
    pub(crate) reversal_names: ReversalNames,
    pub(crate) adjusted: Adjusted,
    pub(crate) cards: Bins,
    pub(crate) further: Further,
    pub(crate) security: Security,
    /// The messages of terminals whose keys are of SM4: their PIN blocks are longer.
    pub(crate) sm4_messages: Profile,
    echo: Vec<Echo>,
    requests: Vec<Request>,
    downloads: Downloads,
    lines: Vec<Line>,
    network_code: Part,
    transaction_type: Part,
}

impl Acquirer {
    /// Reads the profile in a file, or the built-in one where none is named.
    ///
    /// # Errors
    /// The file, or the messages' profile beside it, does not read or contradicts itself: what, and what would be right.
    pub(crate) fn load(file: &Path) -> Result<Self> {
        if file.as_os_str().is_empty() {
            return Self::parse(BUILT_IN, Path::new("")).context("the built-in acquirer profile");
        }
        let reading = || format!("the acquirer profile {}", file.display());
        let text = std::fs::read_to_string(file).with_context(reading)?;
        Self::parse(&text, file.parent().unwrap_or(Path::new(""))).with_context(reading)
    }

    fn parse(text: &str, folder: &Path) -> Result<Self> {
        let file: File = toml::from_str(text)?;
        let messages = messages(&file.messages, folder)?;
        let largest = usize::from(u16::MAX);
        ensure!(
            (SHORTEST..=largest).contains(&file.largest_frame),
            "largest_frame is {}: use {SHORTEST} to {largest} bytes",
            file.largest_frame
        );
        for code in file.codes.all().into_iter().chain(file.requests.iter().flat_map(|request| &request.codes)) {
            let right = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
            ensure!(right, "codes: \"{code}\" is not two letters or digits");
        }
        for number in file.repeated.iter().chain([&file.date, &file.time]) {
            ensure!(messages.field(*number).is_some(), "field {number} is not in the profile {}", messages.name());
        }
        if let Some(request) = file.requests.iter().find(|request| request.digit > 9) {
            bail!("requests: {} is not one digit", request.digit);
        }
        let Downloads { public_keys, applications, settings } = &file.downloads;
        if let Some(digit) = [public_keys, applications, settings].into_iter().find(|digit| **digit > 9) {
            bail!("downloads: {digit} is not one digit");
        }
        let mtis = file.echo.iter().map(|echo| &echo.mti).chain(file.transactions.iter().map(|line| &line.mti));
        for mti in mtis {
            let right = mti.len() == 4 && mti.bytes().all(|byte| byte.is_ascii_digit());
            ensure!(right, "mti: \"{mti}\" is not four digits, such as \"0200\"");
        }
        let further = Further::of(file.further, &messages).context("further")?;
        let (security, sm4_messages) = Security::of(file.security, &messages).context("security")?;
        Ok(Self {
            network_code: part(&messages, NETWORK_CODE)?,
            transaction_type: part(&messages, TRANSACTION_TYPE)?,
            name: file.name,
            messages,
            largest_frame: file.largest_frame,
            lri: file.lri,
            overload: file.overload,
            repeated: file.repeated,
            date: file.date,
            time: file.time,
            codes: file.codes,
            reversal_names: file.reversal_names,
            adjusted: file.adjusted,
            cards: Bins::of(file.cards)?,
            further,
            security,
            sm4_messages,
            echo: file.echo,
            requests: file.requests,
            downloads: file.downloads,
            lines: file.transactions,
        })
    }

    /// The digit of the header by which an answer with this code asks its terminal for something besides; 0 for nothing.
    pub(crate) fn request(&self, code: &str) -> u8 {
        let asks = |request: &&Request| request.codes.iter().any(|known| known == code);
        self.requests.iter().find(asks).map_or(0, |request| request.digit)
    }

    /// The digit by which a terminal is asked to download a part of its parameters.
    pub(crate) const fn download(&self, part: ParameterPart) -> u8 {
        match part {
            ParameterPart::PublicKeys => self.downloads.public_keys,
            ParameterPart::Applications => self.downloads.applications,
            ParameterPart::Settings => self.downloads.settings,
        }
    }

    /// The network code of a message, three digits.
    pub(crate) fn network_code_of(&self, message: &Message<'_, '_>) -> Option<String> {
        let part = message.part(self.network_code.0, self.network_code.1);
        part.ok().and_then(|part| digits_of(part)).filter(|code| code.len() == 3)
    }

    /// Whether a terminal only wants to hear an answer.
    pub(crate) fn is_echo(&self, message: &Message<'_, '_>) -> bool {
        let asked = |echo: &Echo| {
            is_type(message, &echo.mti)
                && holds(message.part(self.network_code.0, self.network_code.1), &echo.network_code)
        };
        self.echo.iter().any(asked)
    }

    /// What a terminal wants; `None` if the profile has no such transaction.
    pub(crate) fn kind(&self, message: &Message<'_, '_>) -> Option<Kind> {
        let fits = |line: &&Line| {
            let part = |part: Part, wanted: &Option<String>| {
                wanted.as_ref().is_none_or(|wanted| holds(message.part(part.0, part.1), wanted))
            };
            let field = |number, wanted: &Option<String>| {
                wanted.as_ref().is_none_or(|wanted| holds(message.value(number), wanted))
            };
            is_type(message, &line.mti)
                && field(3, &line.processing)
                && field(25, &line.condition)
                && line.entry.as_ref().is_none_or(|entry| entered(message, entry))
                && part(self.transaction_type, &line.r#type)
                && part(self.network_code, &line.network_code)
        };
        self.lines.iter().find(fits).map(|line| line.kind)
    }
}

fn messages(name: &str, folder: &Path) -> Result<Profile> {
    if name == "pos_terminal" {
        return Ok(Profile::parse(iso8583::profile::POS_TERMINAL)?);
    }
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("messages: \"{name}\" is not pos_terminal, and {} does not read", path.display()))?;
    Profile::parse(&text).with_context(|| format!("{}", path.display()))
}

/// Where a part of that name lies.
fn part(messages: &Profile, name: &str) -> Result<Part> {
    for (number, field) in messages.fields() {
        if let Some(index) = field.parts.iter().position(|part| part.name == name) {
            return Ok((number, index));
        }
    }
    bail!("no field of the profile {} has a part named \"{name}\": give field 60 its parts", messages.name())
}

fn is_type(message: &Message<'_, '_>, mti: &str) -> bool {
    message.mti() == mti.as_bytes()
}

/// Digits as text.
fn digits_of(value: Value<'_>) -> Option<String> {
    match value {
        Value::Digits(digits) => Some(digits.iter().map(char::from).collect()),
        Value::Text(_) | Value::Bytes(_) | Value::Hex(_) => None,
    }
}

/// Whether the entry mode (field 22) begins so.
fn entered(message: &Message<'_, '_>, entry: &str) -> bool {
    message.value(22).ok().and_then(digits_of).is_some_and(|mode| mode.starts_with(entry))
}

fn holds(found: Result<Value<'_>, iso8583::Error>, wanted: &str) -> bool {
    match found {
        Ok(Value::Digits(digits)) => digits == wanted,
        Ok(Value::Text(text)) => text == wanted.as_bytes(),
        Ok(Value::Bytes(_) | Value::Hex(_)) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use iso8583::Builder;

    use super::*;

    #[track_caller]
    fn refused(from: &str, to: &str, told: &str) {
        assert!(BUILT_IN.contains(from), "{from}");
        let error = format!("{:#}", Acquirer::parse(&BUILT_IN.replace(from, to), Path::new("")).unwrap_err());
        assert!(error.contains(told), "{error}");
    }

    #[test]
    fn a_profile_that_cannot_be_carried_out_is_refused() {
        refused("largest_frame = 2048", "largest_frame = 20", "largest_frame is 20: use 21 to 65535 bytes");
        refused("approved = \"00\"", "approved = \"0\"", "codes: \"0\" is not two letters or digits");
        refused("repeated = [3,", "repeated = [5,", "field 5 is not in the profile pos_terminal");
        refused("mti = \"0500\"", "mti = \"500\"", "mti: \"500\" is not four digits");
        refused("digit = 3", "digit = 10", "requests: 10 is not one digit");
        refused("applications = 5", "applications = 12", "downloads: 12 is not one digit");
        refused("field = 59", "field = 60", "field is 60: name one of pos_terminal with format b");
        refused("code = \"A3\"", "code = \"A\"", "a tag has 2 characters");
        refused("digits = 19", "digits = 9", "a payer's code has 16 to 24");
        refused("kind = \"tip\"", "kind = \"tips\"", "unknown variant `tips`");
        refused("lri = \"accepted\"", "lri = \"yes\"", "unknown variant `yes`");
        refused("messages = \"pos_terminal\"", "messages = \"mine.toml\"", "\"mine.toml\" is not pos_terminal");
    }

    #[test]
    fn a_message_wants_what_the_first_line_that_fits_says() {
        let acquirer = Acquirer::load(Path::new("")).unwrap();
        let wants = |mti: [u8; 4], fields: &[(u8, &str)]| {
            let mut message = Builder::new(&acquirer.messages, mti).unwrap();
            for (number, digits) in fields {
                message.digits(*number, digits).unwrap();
            }
            let bytes = message.encode().unwrap();
            let message = Message::decode(&acquirer.messages, &bytes).unwrap();
            (acquirer.kind(&message), acquirer.is_echo(&message))
        };
        let sale = [(3, "000000"), (25, "00"), (60, "22000001000")];
        assert_eq!(wants(*b"0200", &sale), (Some(Kind::Sale), false));
        assert_eq!(wants(*b"0200", &sale[..2]), (None, false), "without field 60");
        assert_eq!(wants(*b"0200", &[(3, "000000"), (25, "06"), (60, "20000001")]), (Some(Kind::Completion), false));
        assert_eq!(wants(*b"0400", &sale), (Some(Kind::Reversal), false));
        assert_eq!(wants(*b"0800", &[(60, "00000001003")]), (Some(Kind::SignIn), false));
        assert_eq!(wants(*b"0820", &[(60, "00000001301")]), (None, true));
        assert_eq!(wants(*b"0820", &[(60, "0000000130")]), (None, false), "half a code");
        assert_eq!(wants(*b"0110", &sale), (None, false));
    }
}
