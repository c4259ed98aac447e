//! A merchant that takes cards at one terminal, against an issuer in this process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ark::financial::{Purpose as Duty, TerminalCipher};
use ark::keys::{Birth, By, Purpose, Spec};
use ark::{CertificateType, Identity};
use domain::acquiring::{AcquiringCommand, AcquiringTerms, CardLimit, CardRules, OpenAcquiring};
use domain::approval::{ApprovalCommand, Proposal, Propose};
use domain::book::Subject;
use domain::card_fee::{CardFeeCommand, CardRate, CardScheme, SetCardCost, SetCardFeePlan};
use domain::card_transaction::CardStatus;
use domain::customer::{Customer, CustomerKind};
use domain::ids::{AcquiringId, CardTransactionId, CustomerId, MerchantId, TerminalId};
use domain::merchant::{MerchantKind, OpenMerchant, SettlementAccount};
use domain::money::Currency;
use domain::operator::{OperatorCommand, Role};
use domain::sealed::{DataClass, Sealed};
use domain::terminal::{BindTerminal, Place, TerminalCommand};
use domain::{Actor, Command, Origin, Reply, State};
use engine::{Meta, Request};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::SALE;
use super::network::Issuer;
use super::terminal::{Cipher, Device, Heard};
use crate::pos::acquirer::Acquirer;
use crate::pos::connection::Patience;
use crate::pos::gateway::Gateway;
use crate::pos::keys::{TerminalKeys, check_value};
use crate::pos::listener::{Terminals, Transport};
use crate::pos::switch::{Desk, Switch as _};
use crate::serve::running::Running;

pub(super) const CARD: &str = "6230606601007726888";
pub(super) const PIN: &str = "123654";
pub(super) const SERIAL: &str = "N900-0042117";
pub(super) const NUMBER: &str = "898110065130001";
pub(super) const ZONE_PIN: &str = "zone/test/pin";
pub(super) const ZONE_KEY: [u8; 16] = *b"the zone's PINs!";
/// The terminal master key of the vectors.
pub(super) const MASTER: [u8; 16] =
    [0x12, 0x34, 0x56, 0x78, 0x90, 0xAB, 0xCD, 0xEF, 0xAB, 0xCD, 0xEF, 0x09, 0x87, 0x65, 0x43, 0x21];
pub(super) const TERMINAL: TerminalId = TerminalId(1);
const HOME: Place = Place { latitude: 39_908_722, longitude: 116_397_499 };
const PATIENT: Duration = Duration::from_secs(60);

pub(super) struct Shop {
    pub(super) issuer: Arc<Issuer>,
    pub(super) address: SocketAddr,
    cipher: &'static str,
    terminals: Terminals<Desk<Issuer>>,
    running: Running,
    directory: TempDir,
}

impl Shop {
    /// Everything a terminal needs, but that it signs in. Its keys and the zone's are of this cipher.
    pub(super) async fn open(cipher: &'static str) -> Self {
        Self::open_where(cipher, |_| ()).await
    }

    /// With an acquirer's profile that differs so.
    pub(super) async fn open_where(cipher: &'static str, differs: impl FnOnce(&mut Acquirer)) -> Self {
        let directory = TempDir::new().unwrap();
        let running = Running::begin(directory.path()).await;
        let kind = TerminalCipher::ALL.into_iter().find(|known| known.name() == cipher).unwrap();
        form(&running, ZONE_PIN, kind, Purpose::Zone(Duty::Pin), &ZONE_KEY);
        form(&running, "terminal/1/master", kind, Purpose::Terminal(Duty::Master), &MASTER);
        open_books(&running).await;
        let issuer = Arc::new(Issuer::default());
        issuer.opens(CARD, 100_000, key(cipher, &ZONE_KEY).pin(PIN, CARD));
        let mut gateway = gateway(&running, &issuer);
        differs(&mut gateway.acquirer);
        let terminals = Terminals::new(gateway, patience(), 100);
        let address = terminals.listen("127.0.0.1:0".parse().unwrap(), Transport::Tcp).await.unwrap();
        Self { issuer, address, cipher, terminals, running, directory }
    }

    /// Ends; what is left lies in the directory.
    pub(super) fn close(self) -> TempDir {
        let Self { running, directory, terminals, .. } = self;
        drop((terminals, running));
        directory
    }

    /// What the vault keeps under a token.
    pub(super) fn card_number(&self, token: &str) -> String {
        self.running.vault.card_number(token).unwrap().unwrap().expose().to_owned()
    }

    /// Custodians form a key.
    pub(super) fn forms(&self, name: &str, cipher: TerminalCipher, purpose: Purpose, bytes: &[u8; 16]) {
        form(&self.running, name, cipher, purpose, bytes);
    }

    /// The keys of terminals.
    pub(super) fn keys(&self) -> TerminalKeys {
        TerminalKeys::new(self.running.ark.financial())
    }

    /// Binds a terminal that has its key, and connects as it.
    pub(super) async fn another(&self, terminal: TerminalId, master: Cipher) -> Device {
        let address = sealed("北京市东城区***");
        let bind = BindTerminal { terminal, acquiring: AcquiringId(1), address, place: HOME, tolerance_m: 500 };
        self.given(Command::Terminal(TerminalCommand::Bind(bind))).await;
        Device::connect(self.address, &format!("{:08}", terminal.0), NUMBER, master).await
    }

    /// The versions that the key service has of a key.
    pub(super) fn key_versions(&self, name: &str) -> Vec<u32> {
        let info = self.running.ark.service().unwrap().unwrap().info(name).unwrap();
        info.versions.iter().map(|version| version.version).collect()
    }

    pub(super) async fn device(&self) -> Device {
        Device::connect(self.address, "00000001", NUMBER, key(self.cipher, &MASTER)).await
    }

    /// A sale of 100.00 by chip and PIN.
    pub(super) async fn sale(&self, device: &mut Device, trace: &str, pin: &str) -> Heard {
        self.sale_of(device, trace, pin, "000000010000").await
    }

    pub(super) async fn sale_of(&self, device: &mut Device, trace: &str, pin: &str, amount: &str) -> Heard {
        let pin = hex::encode(device.work.as_ref().unwrap().pin.pin(pin, CARD));
        let kind = device.kind("22");
        let mut fields = SALE.to_vec();
        fields[1].1 = amount;
        fields.extend([(11, trace), (52, pin.as_str()), (55, super::CHIP), (60, kind.as_str())]);
        device.ask("0200", &fields).await
    }

    /// A void, without the card.
    pub(super) async fn void(&self, device: &mut Device, trace: &str, of: &str, amount: &str) -> Heard {
        let (kind, original) = (device.kind("23"), format!("{:06}{of}0305", device.batch));
        let fields = [
            (3, "200000"),
            (4, amount),
            (11, trace),
            (22, "012"),
            (25, "00"),
            (49, "156"),
            (60, kind.as_str()),
            (61, original.as_str()),
        ];
        device.ask("0200", &fields).await
    }

    /// Looks at the books.
    pub(super) async fn look<T: Send + 'static>(&self, look: impl FnOnce(&State) -> T + Send + 'static) -> T {
        self.running.platform.read(look).await.unwrap().0
    }

    pub(super) async fn status(&self, transaction: u64) -> CardStatus {
        self.look(move |state| state.card_transaction(CardTransactionId(transaction)).unwrap().status).await
    }

    /// How many transactions the books know, and how many of them the network owes an answer.
    pub(super) async fn transactions(&self) -> (usize, usize) {
        self.look(|state| (state.card_transactions.iter().count(), state.cards_in_outbox().count())).await
    }

    pub(super) async fn batch(&self) -> u32 {
        self.look(|state| state.terminal(TERMINAL).unwrap().batch).await
    }

    /// UnionPay's clearing account, what is the merchant's, what is our own.
    pub(super) async fn books(&self) -> [i64; 3] {
        self.look(|state| {
            let own = |subject| state.institution(subject, Currency::Cny).unwrap();
            let of = |id| state.account(id, "account").unwrap().balance;
            let merchant = state.merchant(MerchantId(1)).unwrap();
            [of(own(Subject::ClearingUnionPay)), of(merchant.pending), of(own(Subject::DueToOwn))]
        })
        .await
    }

    pub(super) async fn given(&self, command: Command) -> Reply {
        given(&self.running, "ops", command).await
    }

    /// As if an approval could not be delivered.
    pub(super) async fn undelivered(&self, transaction: u64) {
        let gateway = gateway(&self.running, &self.issuer);
        gateway.switch.undelivered(CardTransactionId(transaction)).await;
    }
}

pub(super) fn key(cipher: &str, bytes: &[u8]) -> Cipher {
    if cipher == "sm4" { Cipher::sm4(bytes) } else { Cipher::triple_des(bytes) }
}

fn patience() -> Patience {
    Patience { read: PATIENT, write: PATIENT, idle: PATIENT }
}

fn gateway(running: &Running, issuer: &Arc<Issuer>) -> Gateway<Desk<Issuer>> {
    let keys = TerminalKeys::new(running.ark.financial());
    let books = (running.platform.clone(), Arc::clone(&running.store), running.clock.clone());
    let switch = Desk::new(books, keys, Arc::clone(&running.vault), (Arc::clone(issuer), PATIENT));
    let acquirer = Acquirer::load(Path::new("")).unwrap();
    Gateway { acquirer, switch, clock: running.clock.clone(), queue: Semaphore::new(10) }
}

/// A key of two custodians' components.
fn form(running: &Running, name: &str, cipher: TerminalCipher, purpose: Purpose, bytes: &[u8; 16]) {
    let service = running.ark.service().unwrap().unwrap();
    let by = |caller| By::new(caller, "", 1_800_000_000_000);
    service.begin_terminal_key(&by("ops"), &Spec::new(name, cipher, purpose), Birth::Key, 2).unwrap();
    let one = [0x5A; 16];
    let other: Vec<u8> = bytes.iter().zip(one).map(|(byte, one)| byte ^ one).collect();
    for (caller, component) in [("one", &one[..]), ("two", &other)] {
        service.bring_component(&by(caller), name, component).unwrap();
    }
}

async fn given(running: &Running, who: &str, command: Command) -> Reply {
    let meta = Meta::unkeyed(Actor::Operator(who.into()), Origin::Cli);
    running.platform.submit(Request { command, meta }).await.unwrap().result.unwrap()
}

async fn decided(running: &Running, (maker, checker): (&str, &str), proposal: Proposal) {
    let propose = Propose { proposal, reason: "as agreed".into(), evidence: None };
    let propose = Command::Approval(ApprovalCommand::Propose(Box::new(propose)));
    let Reply::Approval(approval) = given(running, maker, propose).await else { panic!("it was proposed") };
    let step = |state: &State| state.operators.iter().map(|(_, it)| it.last_totp_step).max().unwrap_or_default() + 1;
    let totp_step = running.platform.read(step).await.unwrap().0;
    given(running, checker, Command::Approval(ApprovalCommand::Approve { approval, totp_step, remark: None })).await;
}

fn sealed(mask: &str) -> Sealed {
    Sealed { ciphertext: vec![7; 24], key: 1, mask: mask.into(), class: DataClass::C2 }
}

/// Prices, a merchant, its acquiring with a limit of 5,000.00 a sale, its terminal.
async fn open_books(running: &Running) {
    let identity = Identity::new(CertificateType::ResidentIdentity, &"990101190001010001".into()).unwrap();
    running.vault.get_or_create(&identity).unwrap();
    for login in ["one", "two"] {
        let register = OperatorCommand::Register { login: login.into(), roles: vec![Role::Administrator] };
        given(running, "serve", Command::Operator(register)).await;
    }
    for login in ["treasurer-1", "treasurer-2"] {
        let register = OperatorCommand::Register { login: login.into(), roles: vec![Role::Treasurer] };
        decided(running, ("one", "two"), Proposal::Operator(register)).await;
    }
    let rate = |rate, cap| CardRate { rate, cap };
    let from: domain::calendar::Date = "2026-03-05".parse().unwrap();
    let (code, debit, credit) = ("standard".into(), rate(5_000, None), rate(6_000, None));
    let plan = CardFeeCommand::SetPlan(SetCardFeePlan { code, from, debit, credit });
    let (debit, credit, network) = (rate(3_500, Some(1_300)), rate(4_500, None), rate(325, Some(325)));
    let cost = CardFeeCommand::SetCost(SetCardCost { scheme: CardScheme::UnionPay, from, debit, credit, network });
    for command in [plan, cost] {
        decided(running, ("treasurer-1", "treasurer-2"), Proposal::CardFee(command)).await;
    }
    let (name, certificate) = (sealed("张*"), sealed("9901**********0001"));
    let customer =
        Customer { id: CustomerId(1), kind: CustomerKind::Person, name, certificate, phone: None, verification: None };
    given(running, "ops", Command::RegisterCustomer(customer)).await;
    let settlement = SettlementAccount { account: sealed("622202******2230"), name: sealed("张*") };
    let (customer, kind, fee_rate) = (CustomerId(1), MerchantKind::Landlord, 2_000);
    let open = OpenMerchant { customer, kind, name: "Lamp Lane Homes".into(), fee_rate, settlement };
    given(running, "ops", Command::OpenMerchant(open)).await;
    let limit = CardLimit { single: Some(500_000), daily: None };
    let (fee_plan, rules) = ("standard".into(), CardRules::default());
    let terms = AcquiringTerms { fee_plan, debit: limit, credit: limit, rules };
    let open = OpenAcquiring { merchant: MerchantId(1), acquirer: 898, area: 1_100, category: 6_513, terms };
    given(running, "ops", Command::Acquiring(AcquiringCommand::Open(open))).await;
    let info = TerminalKeys::new(running.ark.financial()).master(TERMINAL).unwrap();
    let check_value = check_value(&info).unwrap();
    let address = sealed("北京市东城区***");
    let bind = BindTerminal { terminal: TERMINAL, acquiring: AcquiringId(1), address, place: HOME, tolerance_m: 500 };
    for command in [
        TerminalCommand::Register { serial: SERIAL.into(), model: "N900".into() },
        TerminalCommand::LoadKey { terminal: TERMINAL, name: info.name, check_value },
        TerminalCommand::Bind(bind),
    ] {
        given(running, "ops", Command::Terminal(command)).await;
    }
}
