//! Scripts: one line a step, its result and the balances beside it, so that an accountant can read a test.
//!
//! ```text
//!  # step                      | result             | account balance held frozen available, …
//!  hold h1 A 300 for 10m       | ok                 | A 1000 300 0 700
//!  confirm h1 400 to B         | hold_exceeded      | A 1000 300 0 700
//!  2p release f1 court         | ok                 | A 700 0 0
//!  by risk-1 propose a1 release f1 all by court        | ok
//! ```
//! A result is `ok` or the code of the refusal; balances beside it hold after the step, fewer numbers than four compare
//! fewer. `2p` carries a step out as two people's, `by` in the name of an operator. After each line the state is restored from its rows and goes on, the
//! checks at close hold (see [`super::Kit`]), and what a refusal left is compared too. The verbs of a feature are in a file
//! of their own below.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Kit, date};
use crate::account::{OpenAccount, Owner};
use crate::approval::{Approval, ApprovalStatus};
use crate::book::{Side, Subject};
use crate::calendar::Date;
use crate::command::{Command, Reply};
use crate::ids::{AccountId, MerchantId, UserId};
use crate::merchant::MerchantKind;
use crate::money::{Currency, Minor};
use crate::refusal::{Refusal, RefusalCode};
use crate::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};

mod agreement;
mod card;
pub(crate) mod coverage;
mod currency;
mod day;
mod fee_plan;
mod freeze;
mod hold;
mod order;
mod own_money;
mod payout;
mod people;
mod split_plan;
mod tree;
mod wallet;

/// What a verb makes of a line.
pub(super) enum Step {
    /// A command; what it makes is known by the name from then on.
    Do(Option<String>, Box<Command>),
    /// Done already, without a command of its own.
    Done,
}

impl Step {
    /// A command that makes nothing to be named.
    pub(super) fn of(command: Command) -> Self {
        Self::Do(None, Box::new(command))
    }

    /// A command; what it makes is known by `name` from then on.
    pub(super) fn named(name: &str, command: Command) -> Self {
        Self::Do(Some(name.to_string()), Box::new(command))
    }
}

/// A verb's reading of a line, `None` where the verb is another's.
type Read = Option<Step>;

/// A script under way.
pub(crate) struct Script {
    pub(crate) kit: Kit,
    ids: BTreeMap<String, u64>,
    /// Who does the step.
    login: String,
    /// What a proposal's outcome is known by, by the number of the approval.
    outcomes: BTreeMap<u64, String>,
    refused: BTreeSet<RefusalCode>,
    numbers: u32,
}

/// What a script went through.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// The refusals it met.
    pub(crate) refused: BTreeSet<RefusalCode>,
    /// The transitions that its events were, see [`coverage`].
    pub(crate) transitions: BTreeSet<&'static str>,
    /// The kinds of what two people decided.
    pub(crate) decided: BTreeSet<&'static str>,
}

/// Plays a script; the panic names every line that does not hold.
#[track_caller]
pub(crate) fn play(text: &str) -> Played {
    let mut script = Script {
        kit: Kit::new(),
        ids: BTreeMap::new(),
        login: String::from("tester"),
        outcomes: BTreeMap::new(),
        refused: BTreeSet::new(),
        numbers: 0,
    };
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Err(error) = script.line(line) {
            wrong.push(format!("line {number}: {line}\n  {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let transitions = script.kit.events.iter().map(coverage::transition).collect();
    let approved = |approval: &&Approval| approval.status == ApprovalStatus::Approved;
    let approvals = script.kit.state.approvals.iter().map(|(_, approval)| approval).filter(approved);
    let decided = approvals.map(|approval| approval.proposal.kind()).collect();
    Played { refused: script.refused, transitions, decided }
}

impl Script {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let mut parts = line.split('|').map(str::trim);
        let step = parts.next().unwrap_or_default();
        let expected = parts.next().filter(|result| !result.is_empty()).unwrap_or("ok");
        let balances = parts.next().unwrap_or_default();
        let words: Vec<&str> = step.split_whitespace().collect();
        let (two_people, login, words) = match words.as_slice() {
            ["2p", rest @ ..] => (true, "tester", rest),
            ["by", login, rest @ ..] => (false, *login, rest),
            rest => (false, "tester", rest),
        };
        self.login = login.to_string();
        let result = self.step(words, two_people)?;
        let code = match &result {
            Ok(()) => "ok",
            Err(refusal) => refusal.code.name(),
        };
        if code != expected {
            return Err(format!("{code} in place of {expected}: {result:?}"));
        }
        if let Err(refusal) = result {
            self.refused.insert(refusal.code);
        }
        self.kit.restore();
        for balance in balances.split(',').map(str::trim).filter(|balance| !balance.is_empty()) {
            self.balance(balance)?;
        }
        Ok(())
    }

    fn step(&mut self, words: &[&str], two_people: bool) -> Result<Result<(), Refusal>, String> {
        match self.read(words).ok_or_else(|| format!("no verb reads {words:?}"))? {
            Step::Done => Ok(Ok(())),
            Step::Do(name, command) => {
                let login = self.login.clone();
                let result =
                    if two_people { self.kit.when_approved(*command) } else { self.kit.when_by(&login, *command) };
                Ok(result.map(|reply| self.keep(name.as_deref(), &reply)))
            }
        }
    }

    /// What a line wants.
    fn read(&mut self, words: &[&str]) -> Read {
        let read = self.common(words);
        let read = read.or_else(|| day::read(self, words));
        let read = read.or_else(|| hold::read(self, words));
        let read = read.or_else(|| freeze::read(self, words));
        let read = read.or_else(|| payout::read(self, words));
        let read = read.or_else(|| order::read(self, words));
        let read = read.or_else(|| own_money::read(self, words));
        let read = read.or_else(|| wallet::read(self, words));
        let read = read.or_else(|| tree::read(self, words));
        let read = read.or_else(|| agreement::read(self, words));
        let read = read.or_else(|| currency::read(self, words));
        let read = read.or_else(|| fee_plan::read(self, words));
        let read = read.or_else(|| split_plan::read(self, words));
        let read = read.or_else(|| card::read(self, words));
        read.or_else(|| people::read(self, words))
    }

    /// Keeps the name of what a step made, and of what an approval carried out.
    fn keep(&mut self, name: Option<&str>, reply: &Reply) {
        if let Some(name) = name {
            self.bind(name, number_of(reply));
        }
        if let Reply::Approval(id) = reply
            && let Some(outcome) = self.kit.state.approval(*id).expect("it was decided").outcome.clone()
            && let Some(name) = self.outcomes.get(&id.0).cloned()
        {
            self.bind(&name, number_of(&outcome));
        }
    }

    fn common(&mut self, words: &[&str]) -> Read {
        match *words {
            ["user", name] => {
                let id = self.kit.user();
                self.bind(name, id.0);
                Some(Step::Done)
            }
            ["merchant", name, kind] => Some(self.merchant(name, kind, 2_000)),
            ["merchant", name, kind, "fee", rate] => Some(self.merchant(name, kind, minor(rate))),
            ["open", name, subject, owner] => Some(self.open(name, subject, owner, "CNY")),
            ["open", name, subject, owner, currency] => Some(self.open(name, subject, owner, currency)),
            ["close", name] => Some(Step::of(Command::CloseAccount(self.account(name)))),
            ["fund", name, amount] => Some(self.post(&["Dr", "1121", amount, "Cr", name, amount])),
            ["post", ref entries @ ..] => Some(self.post(entries)),
            ["post-on", day, ref entries @ ..] => Some(self.post_on(Some(date(day)), entries)),
            ["wait", duration] => {
                self.kit.later(duration_ms(duration));
                Some(Step::of(Command::Tick))
            }
            ["idle", duration] => {
                self.kit.later(duration_ms(duration));
                Some(Step::Done)
            }
            _ => None,
        }
    }

    /// A merchant with its fee in millionths, and its accounts by its name and their subjects.
    fn merchant(&mut self, name: &str, kind: &str, fee_rate: Minor) -> Step {
        let kind = match kind {
            "agency" => MerchantKind::Agency,
            "agent" => MerchantKind::Agent,
            _ => MerchantKind::Landlord,
        };
        let id = self.kit.merchant(kind, fee_rate);
        self.bind(name, id.0);
        let merchant = self.kit.state.merchant(id).expect("just opened").clone();
        self.bind(&format!("{name}.2202"), merchant.pending.0);
        self.bind(&format!("{name}.2203"), merchant.available.0);
        if let Some(company) = merchant.company {
            self.bind(&format!("{name}.2206"), company.0);
        }
        Step::Done
    }

    fn open(&mut self, name: &str, subject: &str, owner: &str, currency: &str) -> Step {
        let subject = subject_of(subject);
        let owner = self.owner(owner);
        let currency = Currency::parse(currency).expect("the script names a currency");
        let overdraft = false;
        let open = OpenAccount { subject, currency, owner, overdraft };
        Step::named(name, Command::OpenAccount(open))
    }

    fn post(&mut self, entries: &[&str]) -> Step {
        self.post_on(None, entries)
    }

    /// A voucher of the caller's own words, of a day that it names.
    fn post_on(&mut self, date: Option<Date>, entries: &[&str]) -> Step {
        self.numbers += 1;
        let entries = self.entries(entries);
        let business = BusinessNumber::Text(format!("script-{}", self.numbers).into_boxed_str());
        let (event, dimensions) = (EventCode::Transfer, None);
        Step::of(Command::PostVoucher(PostVoucher { business, event, date, entries, dimensions }))
    }

    /// Entries, each a side, an account and an amount; the account's currency unless one stands behind the amount.
    pub(super) fn entries(&self, entries: &[&str]) -> Vec<Entry> {
        let entry = |entry: &[&str]| {
            let [side, account, amount] = *entry else { panic!("an entry is side, account, amount: {entry:?}") };
            let side = if side == "Dr" { Side::Debit } else { Side::Credit };
            let (account, (amount, currency)) = (self.account(account), amount.split_once(':').unwrap_or((amount, "")));
            let own = self.kit.state.account(account, "account").map_or(Currency::Cny, |account| account.currency);
            let currency = Currency::parse(currency).unwrap_or(own);
            Entry { account, side, amount: minor(amount), currency }
        };
        entries.chunks(3).map(entry).collect()
    }

    fn balance(&self, expected: &str) -> Result<(), String> {
        let mut words = expected.split_whitespace();
        let name = words.next().unwrap_or_default();
        let wanted: Vec<Minor> = words.map(minor).collect();
        let account = self.kit.state.account(self.account(name), "account").map_err(|refusal| format!("{refusal}"))?;
        let state = &self.kit.state;
        let frozen = account.effective_frozen() + state.frozen_by_customer(account);
        let all = [account.balance, account.held_out, frozen, state.available(account)];
        let found = all.get(..wanted.len()).ok_or_else(|| format!("at most four numbers: {expected}"))?;
        if found == wanted { Ok(()) } else { Err(format!("{name} is {found:?}, not {wanted:?}")) }
    }

    /// Keeps the id of a name.
    pub(super) fn bind(&mut self, name: &str, id: u64) {
        self.ids.insert(name.to_string(), id);
    }

    /// The id of a name; a number that no thing has stands for itself.
    #[track_caller]
    pub(super) fn id(&self, name: &str) -> u64 {
        let number = name.split_once('#').and_then(|(_, number)| number.parse().ok());
        self.ids.get(name).copied().or(number).unwrap_or_else(|| panic!("'{name}' was not named before"))
    }

    /// The account of a name, or the institution's own by its subject code, with the currency behind a dot unless yuan.
    #[track_caller]
    pub(super) fn account(&self, name: &str) -> AccountId {
        let (code, currency) = name.split_once('.').unwrap_or((name, "CNY"));
        let own = code.parse().ok().and_then(Subject::from_code).zip(Currency::parse(currency).ok());
        let own = own.and_then(|(subject, currency)| self.kit.state.institution(subject, currency).ok());
        if self.ids.contains_key(name) {
            AccountId(self.id(name))
        } else {
            own.unwrap_or_else(|| AccountId(self.id(name)))
        }
    }

    /// The owner of a name that begins with `u` (user), `m` (merchant) or is `own`.
    pub(super) fn owner(&self, name: &str) -> Owner {
        match name.chars().next() {
            Some('m') => Owner::Merchant(MerchantId(self.id(name))),
            Some('o') => Owner::Institution,
            _ => Owner::User(UserId(self.id(name))),
        }
    }

    /// The moment so far from now.
    pub(super) fn at(&self, duration: &str) -> crate::envelope::Time {
        self.kit.now.plus_ms(duration_ms(duration))
    }
}

/// A whole number of minor units.
#[track_caller]
pub(super) fn minor(text: &str) -> Minor {
    text.replace('_', "").parse().unwrap_or_else(|_| panic!("'{text}' is no number of minor units"))
}

/// `10m`, `48h`, `7d` or `500ms` in milliseconds.
#[track_caller]
pub(super) fn duration_ms(text: &str) -> i64 {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
    let number: i64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).expect("a number and a unit");
    number
        * match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => panic!("'{text}' is no duration: use ms, s, m, h or d"),
        }
}

/// The subject of a code.
#[track_caller]
pub(super) fn subject_of(code: &str) -> Subject {
    code.parse().ok().and_then(Subject::from_code).unwrap_or_else(|| panic!("'{code}' is no subject"))
}

/// The number of what a command made.
fn number_of(reply: &Reply) -> u64 {
    let text = format!("{reply:?}");
    let digits: String =
        text.chars().rev().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.chars().rev().collect::<String>().parse().unwrap_or_default()
}
