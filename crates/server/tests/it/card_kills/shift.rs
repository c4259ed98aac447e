//! A terminal at work, with what it keeps over its own restarts: what it asked last, until it knows how that ended.
//!
//! A transaction that the terminal did not hear of is taken back by it, unless it is an advice, which is said again.

use super::super::terminals::device::{Device, Heard};

pub(super) const CARD: &str = "6230606601007726888";
const PIN: &str = "726888";
const TRACK: &str = "6230606601007726888D30122010000012345";
const CHIP: &str = "9F26081122334455667788950500000000009F3704DEADBEEF";
/// What the chip made of an issuer's script, as field 55 has it here and at the network.
pub(super) const SCRIPTS: &str = "DF31052000000001";
const SERIAL: &str = "N900-7";
/// How often the same is asked again.
const TRIES: usize = 200;

/// What a terminal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Close,
    Sale,
    Void,
    PreAuthorisation,
    Cancel,
    Completion,
    CompletionVoid,
    CompletionAdvice,
    Refund,
    Adjustment,
    Offline,
    Reversal,
    QrSale,
    QrVoid,
    Scripts,
}

impl Kind {
    /// The batch is closed first: only one sale is in it.
    pub(super) const ALL: [Self; 15] = [
        Self::Close,
        Self::Sale,
        Self::Void,
        Self::PreAuthorisation,
        Self::Cancel,
        Self::Completion,
        Self::CompletionVoid,
        Self::CompletionAdvice,
        Self::Refund,
        Self::Adjustment,
        Self::Offline,
        Self::Reversal,
        Self::QrSale,
        Self::QrVoid,
        Self::Scripts,
    ];

    fn mti(self) -> &'static str {
        match self {
            Self::Close => "0500",
            Self::PreAuthorisation | Self::Cancel => "0100",
            Self::Sale | Self::Void | Self::Completion | Self::CompletionVoid | Self::QrSale | Self::QrVoid => "0200",
            Self::CompletionAdvice | Self::Refund | Self::Adjustment | Self::Offline => "0220",
            Self::Reversal => "0400",
            Self::Scripts => "0620",
        }
    }

    /// The second digit of its message type, at the terminal as at the network.
    pub(super) fn class(self) -> u8 {
        self.mti().as_bytes()[1]
    }

    /// Whether the terminal takes it back when it did not hear of it.
    pub(super) fn is_reversed(self) -> bool {
        matches!(self.mti(), "0100" | "0200")
    }

    /// Fields 3, 25 and the type in field 60.
    fn shape(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Sale | Self::QrSale | Self::Reversal | Self::Scripts | Self::Close => ("000000", "00", "22"),
            Self::Void | Self::QrVoid => ("200000", "00", "23"),
            Self::PreAuthorisation => ("030000", "06", "10"),
            Self::Cancel => ("200000", "06", "11"),
            Self::Completion => ("000000", "06", "20"),
            Self::CompletionVoid => ("200000", "06", "21"),
            Self::CompletionAdvice => ("000000", "06", "24"),
            Self::Refund => ("200000", "00", "25"),
            Self::Adjustment => ("000000", "00", "34"),
            Self::Offline => ("000000", "00", "30"),
        }
    }

    /// What there must be first.
    fn about(self) -> Option<Self> {
        match self {
            Self::Void | Self::Refund | Self::Adjustment | Self::Reversal | Self::Scripts | Self::Close => {
                Some(Self::Sale)
            }
            Self::Cancel | Self::Completion | Self::CompletionAdvice => Some(Self::PreAuthorisation),
            Self::CompletionVoid => Some(Self::Completion),
            Self::QrVoid => Some(Self::QrSale),
            Self::Sale | Self::QrSale | Self::PreAuthorisation | Self::Offline => None,
        }
    }
}

/// A message that the terminal keeps until it knows how it ended.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) batch: u32,
    /// Of a reversal that of what it takes back; of results of scripts that of the sale.
    pub(super) trace: u32,
    fields: Vec<(u8, String)>,
}

/// A transaction that went well.
#[derive(Debug, Clone)]
struct Done {
    asked: Asked,
    amount: String,
    reference: String,
    authorisation: String,
}

/// A one-time code as the telephone of a card's holder shows it: a new one each time.
type Codes = Box<dyn Fn() -> String + Send + Sync>;

/// The terminal.
pub(super) struct Till {
    device: Device,
    codes: Codes,
}

impl Till {
    pub(super) fn new(device: Device, codes: Codes) -> Self {
        Self { device, codes }
    }

    /// Connects, and signs in.
    pub(super) async fn come_back(&mut self) {
        for _ in 0..TRIES {
            let signed_in = self.device.try_connect_again().await && self.device.try_sign_in(SERIAL).await.is_some();
            if signed_in {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the terminal is not let in");
    }

    /// Has done, in fair weather, what this kind is about; the message that asks for it.
    pub(super) async fn prepare(&mut self, kind: Kind) -> Asked {
        let mut about = None;
        let mut needed: Vec<Kind> = std::iter::successors(kind.about(), |kind| kind.about()).collect();
        while let Some(next) = needed.pop() {
            about = Some(self.done(next, about).await);
        }
        self.message(kind, about.as_ref())
    }

    /// One that must go well: links may be coming up yet.
    async fn done(&mut self, kind: Kind, about: Option<Done>) -> Done {
        for _ in 0..TRIES {
            let asked = self.message(kind, about.as_ref());
            let heard = self.say(&asked).await.expect("nobody disturbs it");
            if heard.fields[&39] == "00" {
                let field = |number| heard.fields.get(&number).cloned().unwrap_or_default();
                let (amount, reference, authorisation) = (asked.amount().to_owned(), field(37), field(38));
                return Done { asked, amount, reference, authorisation };
            }
            assert!(["91", "98"].contains(&heard.fields[&39].as_str()), "{kind:?}: {heard:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{kind:?} does not go well");
    }

    /// Sends it, and hears the answer; `None` where the connection ended first.
    pub(super) async fn say(&mut self, asked: &Asked) -> Option<Heard> {
        let fields: Vec<(u8, &str)> = asked.fields.iter().map(|(number, text)| (*number, text.as_str())).collect();
        let plainly = asked.kind == Kind::Close;
        let mac = self.device.work.as_ref().map(|work| work.mac.clone()).filter(|_| !plainly);
        let message = self.device.message(asked.kind.mti(), &fields, mac.as_ref());
        self.device.try_send(&message).await?;
        self.device.try_hear().await
    }

    /// What a terminal does that did not hear how it ended: it comes back, then takes back or asks again. The code in the end;
    /// of what it took back that of the reversal.
    pub(super) async fn recover(&mut self, asked: &Asked) -> String {
        let again = if asked.kind.is_reversed() { asked.taken_back() } else { asked.clone() };
        for _ in 0..TRIES {
            if let Some(heard) = self.say(&again).await {
                let code = heard.fields[&39].clone();
                if !["98", "91"].contains(&code.as_str()) {
                    return code;
                }
            } else {
                self.come_back().await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{again:?} is not answered");
    }

    fn message(&mut self, kind: Kind, about: Option<&Done>) -> Asked {
        let (batch, trace) = (self.device.batch, self.device.next_trace());
        if kind == Kind::Reversal {
            return about.unwrap().asked.taken_back();
        }
        if kind == Kind::Close {
            let totals = format!("{}001{}0{}", about.unwrap().amount, "0".repeat(15), "0".repeat(31));
            let fields =
                vec![(11, format!("{trace:06}")), (48, totals), (49, "156".into()), (60, format!("00{batch:06}201"))];
            return Asked { kind, batch, trace, fields };
        }
        let (processing, condition, code) = kind.shape();
        let amount = about.map_or_else(|| format!("{:012}", 10_000 + trace), |done| done.amount.clone());
        let mut fields = vec![
            (3, processing.to_owned()),
            (4, amount),
            (11, format!("{trace:06}")),
            (25, condition.to_owned()),
            (49, "156".to_owned()),
            (60, self.device.kind(code)),
        ];
        if kind == Kind::QrSale {
            let code = (self.codes)();
            fields.extend([(22, "032".to_owned()), (59, hex::encode(format!("A3{:03}{code}", code.len())))]);
        } else if kind == Kind::Scripts {
            fields.push((55, SCRIPTS.to_owned()));
        } else if kind == Kind::QrVoid {
            fields.push((22, "012".to_owned()));
        } else if kind == Kind::Sale {
            let pin = hex::encode(self.device.work.as_ref().unwrap().pin.pin(PIN, CARD));
            let card = [(14, "3012"), (22, "051"), (26, "12"), (35, TRACK), (53, "2600000000000000"), (55, CHIP)];
            fields.extend(card.map(|(number, text)| (number, text.to_owned())));
            fields.push((52, pin));
        } else {
            fields.extend([(2, CARD.to_owned()), (22, "012".to_owned())]);
        }
        if let Some(done) = about {
            match kind {
                Kind::Void | Kind::QrVoid | Kind::Scripts | Kind::Adjustment | Kind::CompletionVoid => {
                    fields.push((61, format!("{:06}{:06}0305", done.asked.batch, done.asked.trace)));
                }
                Kind::Refund => fields.push((37, done.reference.clone())),
                Kind::Close
                | Kind::Sale
                | Kind::QrSale
                | Kind::PreAuthorisation
                | Kind::Cancel
                | Kind::Completion
                | Kind::CompletionAdvice
                | Kind::Offline
                | Kind::Reversal => fields.push((38, done.authorisation.clone())),
            }
        }
        if kind == Kind::Offline {
            fields.push((38, "OFF001".to_owned()));
        }
        if kind == Kind::Adjustment {
            fields[1].1 = "000000001000".to_owned();
        }
        let of_sale = about.filter(|_| kind == Kind::Scripts);
        Asked { kind, batch, trace: of_sale.map_or(trace, |sale| sale.asked.trace), fields }
    }
}

impl Asked {
    fn amount(&self) -> &str {
        let found = self.fields.iter().find(|(number, _)| *number == 4);
        found.map_or("", |(_, text)| text)
    }

    /// The reversal of it: it keeps what the card does not give again.
    fn taken_back(&self) -> Self {
        let kept = |number: &u8| ![26, 35, 37, 52, 53, 55, 59].contains(number);
        let mut fields: Vec<(u8, String)> = self.fields.iter().filter(|(number, _)| kept(number)).cloned().collect();
        fields.push((39, "98".to_owned()));
        Self { kind: Kind::Reversal, batch: self.batch, trace: self.trace, fields }
    }
}
