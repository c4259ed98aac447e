//! Server, link and terminal are killed at every step of every kind of transaction, as real processes on real TCP; after
//! recovery the terminal, the books and the network say the same.
//!
//! ```text
//!  terminal ──1──► server ──3──► network          1 the question comes         2 it is written: requested
//!           ◄──6──        ◄──4──                  3 it goes on                 4 the answer comes
//!                                                 5 it is written: approved    6 the answer goes back
//! ```
//! Wires between them stop at one frame ([`wire`]). Within the server the journal's own writes are the moments: a library
//! under it kills the process as it writes, or as it syncs ([`super::disk`]).

mod equal;
mod shift;
mod wire;

use std::sync::Arc;

use super::card_network::{Network, has_key, links};
use super::client::Client;
use super::disk::Disk;
use super::open::number;
use super::server::{Server, is_embedded};
use super::terminals::device::{Cipher, Device};
use super::terminals::{TRANSPORT, form_for, shop};
use shift::{CARD, Kind, Till};
use wire::{Between, Frame, Trap, Traps, Way, Wire};

const MASTER: &str = "0123456789ABCDEFFEDCBA9876543210";
/// The server dies at its next write of the journal, or at its next sync: then it is written, and nobody was told.
const DIES_WRITING: &str = "journal.db write KILL";
const DIES_SYNCING: &str = "journal.db sync KILL";

/// What happens when the frame comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// The server dies.
    Server,
    /// The server dies at its journal's next write, or sync.
    Journal(&'static str),
    /// All links to the network break.
    Links,
    /// The terminal loses its connection, as when its power goes.
    Terminal,
}

/// A step: at which frame, and what.
#[derive(Debug, Clone, Copy)]
struct Step {
    between: Between,
    way: Way,
    frame: Frame,
    blow: Blow,
}

const fn step(between: Between, way: Way, frame: Frame, blow: Blow) -> Step {
    Step { between, way, frame, blow }
}

const TERMINAL: Between = Between::TerminalAndServer;
const NETWORK: Between = Between::ServerAndNetwork;

/// A platform between its terminal and its network, with wires that can be looked at.
struct Rig {
    network: Arc<Network>,
    server: Server,
    disk: Option<Disk>,
    traps: Arc<Traps>,
    to_server: Arc<Wire>,
    to_network: [Arc<Wire>; 2],
    till: Till,
}

impl Rig {
    async fn raise() -> Option<Self> {
        let network = Arc::new(Network::start(&[])?);
        let traps = Arc::new(Traps::default());
        let to_network = network.doors().map(|door| Wire::to(&door, Between::ServerAndNetwork, &traps));
        let mut settings = network.settings_by(&to_network.each_ref().map(|wire| wire.address.clone()));
        let patience = ["answer_timeout_ms=1000", "forward_ms=20", "forward_max_ms=100"];
        settings.extend(patience.map(|setting| format!("pos.network.{setting}")));
        settings.extend(["ark.unseal=file", "pos.listen=127.0.0.1:0"].map(str::to_owned));
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let (disk, directory, environment) = Disk::sound();
        let server = Server::start_in(directory, &settings, environment);
        let merchant = shop(&server);
        form_for(&server, "zone/unionpay/master", "zone-master", MASTER);
        let programs = server.operator();
        for key in ["zone/unionpay/mac", "zone/unionpay/pin"] {
            has_key(&programs, key);
        }
        let to_server = Wire::to(&crate::pos::terminals(&server), Between::TerminalAndServer, &traps);
        let master = Cipher::sm4(&hex::decode(TRANSPORT).unwrap());
        let address = to_server.address.parse().unwrap();
        let telephone = Arc::clone(&network);
        let codes = Box::new(move || telephone.ask("POST", &format!("/code/{CARD}")));
        let till = Till::new(Device::connect(address, "00000001", &merchant, master).await, codes);
        Some(Self { network, server, disk, traps, to_server, to_network, till })
    }

    fn programs(&self) -> Client {
        self.server.operator()
    }

    /// Arms the trap of a step.
    fn arm(&self, step: Step, class: u8) {
        let Step { between, way, frame, blow } = step;
        let act: Box<dyn FnOnce() + Send> = match blow {
            Blow::Server => {
                let killer = self.server.killer();
                Box::new(killer)
            }
            Blow::Journal(fault) => {
                let disk = self.disk.clone().expect("the journal lies in a file");
                Box::new(move || disk.becomes(fault))
            }
            Blow::Links => {
                let wires = self.to_network.clone();
                Box::new(move || wires.iter().for_each(|wire| wire.cut()))
            }
            Blow::Terminal => {
                let wire = Arc::clone(&self.to_server);
                Box::new(move || wire.cut())
            }
        };
        self.traps.arm(Trap { between, way, class, frame, act });
    }

    /// The server comes up again, and its terminal's wire leads to it.
    fn revive(&mut self) {
        self.server.ended();
        if let Some(disk) = &self.disk {
            disk.becomes("");
        }
        let before = crate::pos::listening(&self.server).len();
        self.server.start_again();
        let began = std::time::Instant::now();
        let address = loop {
            match crate::pos::listening(&self.server).get(before) {
                Some(address) => break address.clone(),
                None => assert!(began.elapsed().as_secs() < 60, "it listens to no terminal: {}", self.server.log()),
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        };
        self.to_server.lead_to(&address);
    }

    /// One transaction of this kind with the blow at this step, and all of them compared.
    async fn one(&mut self, kind: Kind, step: Step) {
        self.till.come_back().await;
        let asked = self.till.prepare(kind).await;
        self.arm(step, kind.class());
        let heard = self.till.say(&asked).await;
        self.traps.wait();
        if matches!(step.blow, Blow::Server | Blow::Journal(_)) {
            self.revive();
        }
        let links_up = |seen: &serde_json::Value| number(seen, "/up") == 2;
        links(&self.programs(), links_up);
        let code = heard.map(|heard| heard.fields[&39].clone());
        let code = match code {
            // An advice that was not taken is said again; what else failed is the switch's to take back.
            Some(code) if kind.is_reversed() || code != "98" => code,
            Some(_) | None => {
                let code = self.till.recover(&asked).await;
                // Taken back, or never there: the terminal saw it fail.
                if kind.is_reversed() { format!("taken back: {code}") } else { code }
            }
        };
        let rows = equal::settled(&self.programs());
        equal::as_seen(&rows, &asked, &code);
        equal::both_sides(&rows, &self.network);
    }
}

/// A shift of every kind, with the blow at this step of each.
async fn shift(step: Step) {
    // On PostgreSQL another journal is written; what lies between wires and switch is the same code.
    if !is_embedded() && (step.blow != Blow::Server || step.frame != Frame::Withheld) {
        return;
    }
    let Some(mut rig) = Rig::raise().await else { return };
    if matches!(step.blow, Blow::Journal(_)) && rig.disk.is_none() {
        return;
    }
    for kind in Kind::ALL {
        // A close of the batch asks nobody outside.
        if kind != Kind::Close || step.between == Between::TerminalAndServer {
            rig.one(kind, step).await;
        }
    }
    equal::file(&rig.programs(), &rig.network);
    assert!(rig.server.stop().success());
}

macro_rules! steps {
    ($($name:ident: $between:expr, $way:ident, $frame:ident, $blow:expr;)+) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            shift(step($between, Way::$way, Frame::$frame, $blow)).await;
        }
    )+};
}

steps! {
    the_server_dies_before_the_question_comes: TERMINAL, There, Withheld, Blow::Server;
    the_server_dies_when_the_question_has_come: TERMINAL, There, PassesBefore, Blow::Server;
    the_server_dies_before_the_request_is_written: TERMINAL, There, PassesAfter, Blow::Journal(DIES_WRITING);
    the_server_dies_before_the_request_is_durable: TERMINAL, There, PassesAfter, Blow::Journal(DIES_SYNCING);
    the_server_dies_before_the_network_is_asked: NETWORK, There, Withheld, Blow::Server;
    the_server_dies_when_the_network_was_asked: NETWORK, There, PassesBefore, Blow::Server;
    the_server_dies_before_the_networks_answer_comes: NETWORK, Back, Withheld, Blow::Server;
    the_server_dies_when_the_networks_answer_has_come: NETWORK, Back, PassesBefore, Blow::Server;
    the_server_dies_before_the_answer_is_written: NETWORK, Back, PassesAfter, Blow::Journal(DIES_WRITING);
    the_server_dies_before_the_answer_is_durable: NETWORK, Back, PassesAfter, Blow::Journal(DIES_SYNCING);
    the_server_dies_before_the_terminal_is_told: TERMINAL, Back, Withheld, Blow::Server;
    the_server_dies_when_the_terminal_was_told: TERMINAL, Back, PassesBefore, Blow::Server;
    the_links_break_before_the_network_is_asked: NETWORK, There, Withheld, Blow::Links;
    the_links_break_when_the_network_was_asked: NETWORK, There, PassesBefore, Blow::Links;
    the_links_break_before_the_answer_comes: NETWORK, Back, Withheld, Blow::Links;
    the_terminal_dies_before_the_network_is_asked: NETWORK, There, PassesAfter, Blow::Terminal;
    the_terminal_dies_before_it_is_told: TERMINAL, Back, Withheld, Blow::Terminal;
}
