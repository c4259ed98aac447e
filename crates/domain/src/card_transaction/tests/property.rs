//! Random shifts at three terminals of two merchants: sales, voids, pre-authorisations, refunds, tips, silence, late and
//! doubled answers, reversals by whoever, batch closes, files that take other fees, settlements. After every step what the
//! cards were charged, by a model that knows amounts and answers alone, is what lies on the books on either side of them.

use alloc::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::codes::code;
use super::*;
use crate::batch_close::{BatchCloseCommand, BatchTotals};
use crate::card_clearing::TakeCardFile;
use crate::money::Currency;

#[derive(Debug, Clone)]
enum Step {
    Ask { shop: Index, kind: Index, card: CardType, amount: Minor, original: Index },
    Again { of: Index },
    Answer { of: Index, answer: Answer },
    Reverse { of: Index, by: Reverser },
    AnswerReversal { of: Index, code: &'static str },
    Credit { of: Index, amount: Minor },
    CloseBatch { shop: Index },
    File { more: Minor },
    NextDay,
    Settle,
    Restore,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Yes,
    No,
    Silence,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    let card = || prop_oneof![Just(CardType::Debit), Just(CardType::Credit)];
    let answer = prop_oneof![6 => Just(Answer::Yes), 2 => Just(Answer::No), 2 => Just(Answer::Silence)];
    let by = prop_oneof![Just(Reverser::Terminal), Just(Reverser::Switch)];
    let code = prop_oneof![3 => Just("00"), 1 => Just("25"), 1 => Just("96")];
    prop_oneof![
        10 => (index(), index(), card(), 1..2_000_000_i64, index())
            .prop_map(|(shop, kind, card, amount, original)| Step::Ask { shop, kind, card, amount, original }),
        1 => index().prop_map(|of| Step::Again { of }),
        10 => (index(), answer).prop_map(|(of, answer)| Step::Answer { of, answer }),
        3 => (index(), by).prop_map(|(of, by)| Step::Reverse { of, by }),
        4 => (index(), code).prop_map(|(of, code)| Step::AnswerReversal { of, code }),
        1 => (index(), 1..2_000_000_i64).prop_map(|(of, amount)| Step::Credit { of, amount }),
        1 => index().prop_map(|shop| Step::CloseBatch { shop }),
        1 => (-5..8_i64).prop_map(|more| Step::File { more }),
        1 => Just(Step::NextDay),
        1 => Just(Step::Settle),
        1 => Just(Step::Restore),
    ]
}

/// What the model knows of a transaction: which way its money goes, and whether the card was charged for it.
#[derive(Debug, Clone, Copy)]
struct Known {
    way: Minor,
    amount: Minor,
    status: CardStatus,
    reversed_once: bool,
}

struct Walk {
    kit: Kit,
    shops: Vec<Shop>,
    known: BTreeMap<CardTransactionId, Known>,
    requests: BTreeMap<CardTransactionId, RequestCardTransaction>,
    days: i32,
}

impl Walk {
    fn new() -> Self {
        let mut kit = Kit::new();
        kit.hurry();
        let (one, two) = (kit.shop(), kit.shop());
        let shops = vec![one, kit.online(one.acquiring), two];
        Self { kit, shops, known: BTreeMap::new(), requests: BTreeMap::new(), days: 0 }
    }

    fn at(&self, at: Index) -> CardTransactionId {
        CardTransactionId(at.index(self.known.len() + 1) as u64 + 1)
    }

    fn charge(&self) -> Minor {
        let charged = self.known.values().filter(|it| it.status == CardStatus::Approved);
        // A reversal under way leaves what was booked until the network took it.
        let reversing = self.known.iter().filter(|(_, it)| it.status == CardStatus::Reversing && !it.reversed_once);
        let booked = reversing.filter(|(id, _)| self.kit.card(**id).voucher.is_some()).map(|(_, it)| it);
        charged.chain(booked).map(|it| it.way * it.amount).sum()
    }

    fn ask(&mut self, request: RequestCardTransaction) {
        let (kind, amount) = (request.kind, request.amount);
        let command = of_card(CardTransactionCommand::Request(Box::new(request.clone())));
        let Ok(Reply::CardTransaction(id)) = self.kit.when(command) else { return };
        let way = match kind.effect() {
            Effect::In => 1,
            Effect::Undo | Effect::Out => -1,
            Effect::Nothing => 0,
        };
        let fresh = Known { way, amount, status: CardStatus::Requested, reversed_once: false };
        self.known.entry(id).or_insert(fresh);
        self.requests.entry(id).or_insert(request);
    }

    fn answer(&mut self, id: CardTransactionId, answer: Answer) {
        let day = alloc::format!("{}", Date::in_shanghai(self.kit.now));
        let said = match answer {
            Answer::Yes => approved(&day),
            Answer::No => CardAnswer::Declined { code: "05".into() },
            Answer::Silence => CardAnswer::NotAnswered,
        };
        let command = of_card(CardTransactionCommand::Answer { transaction: id, answer: said });
        if self.kit.when(command).is_err() {
            return;
        }
        let is_reversed = self.kit.card(id).kind.is_reversed();
        let known = self.known.get_mut(&id).unwrap();
        known.status = match (known.status, answer) {
            (CardStatus::Requested | CardStatus::Unknown, Answer::Yes) => CardStatus::Approved,
            (CardStatus::Requested | CardStatus::Unknown, Answer::No) => CardStatus::Declined,
            (CardStatus::Requested, Answer::Silence) if is_reversed => CardStatus::Reversing,
            (CardStatus::Requested, Answer::Silence) => CardStatus::Unknown,
            (CardStatus::Reversed | CardStatus::Declined, Answer::Yes) => CardStatus::Reversing,
            (status, _) => status,
        };
    }

    fn reverse(&mut self, id: CardTransactionId, by: Reverser) {
        if !self.known.contains_key(&id) || self.kit.card(id).key.is_none() {
            return;
        }
        let command = ReverseCardTransaction { by, ..self.kit.reverses(id) };
        if self.kit.when(of_card(CardTransactionCommand::Reverse(command))).is_err() {
            return;
        }
        let known = self.known.get_mut(&id).unwrap();
        if !matches!(known.status, CardStatus::Declined | CardStatus::Reversed) {
            known.status = CardStatus::Reversing;
        }
    }

    fn answer_reversal(&mut self, id: CardTransactionId, code: &str) {
        let command = CardTransactionCommand::AnswerReversal { transaction: id, code: code.into() };
        if self.kit.when(of_card(command)).is_ok() && code != "96" {
            let known = self.known.get_mut(&id).unwrap();
            (known.status, known.reversed_once) = (CardStatus::Reversed, true);
        }
    }

    fn credit(&mut self, id: CardTransactionId, amount: Minor) {
        let adjustment = CreditAdjustment { transaction: id, amount, case_number: "case".into() };
        let done = self.kit.when_approved(CardTransactionCommand::credit(adjustment));
        if let Ok(Reply::CardTransaction(id)) = done {
            let known = Known { way: -1, amount, status: CardStatus::Approved, reversed_once: false };
            self.known.insert(id, known);
        }
    }

    /// Closes with what the platform counted, or with nothing, which is uploaded then.
    fn close_batch(&mut self, shop: Shop) {
        let (terminal, batch) = (shop.terminal, self.kit.state.terminal(shop.terminal).unwrap().batch);
        let close = |theirs| Command::BatchClose(BatchCloseCommand::Close { terminal, batch, theirs });
        self.kit.given(close(BatchTotals::default()));
        let ours = self.kit.state.batch_close_of(terminal, batch).unwrap().ours;
        if ours == BatchTotals::default() {
            return;
        }
        if self.days % 2 == 0 {
            self.kit.given(close(ours));
        } else {
            self.kit.given(Command::BatchClose(BatchCloseCommand::EndUpload { terminal, count: 0 }));
        }
        assert_eq!(self.kit.state.terminal(terminal).unwrap().batch, batch + 1);
    }

    /// Names everything that awaits the file, each line with so much more cost than was booked.
    fn file(&mut self, more: Minor) {
        let day = Date::in_shanghai(self.kit.now);
        let ids: Vec<_> = self.kit.state.uncleared_cards.iter().map(|((_, id), ())| *id).collect();
        let line = |id| {
            let line = self.kit.card_line(id);
            crate::card_clearing::CardLine { cost: (line.cost + more).clamp(0, line.amount), ..line }
        };
        let lines = ids.into_iter().map(line).collect();
        let parts = self.kit.state.card_clearings.iter().count() as u32;
        let file = TakeCardFile { date: day, part: parts + 1, last: true, lines };
        if self.kit.when(Command::TakeCardFile(file)).is_ok() {
            assert!(self.kit.state.uncleared_cards.is_empty());
        }
    }

    fn take(&mut self, step: &Step) {
        match step.clone() {
            Step::Ask { shop, kind, card: of, amount, original } => {
                let shop = self.shops[shop.index(self.shops.len())];
                let kind = CardKind::ALL[kind.index(CardKind::ALL.len() - 1)];
                let wants =
                    !matches!(kind, CardKind::Sale | CardKind::QrSale | CardKind::PreAuthorisation | CardKind::Offline);
                let original = wants.then(|| self.at(original));
                let row = original.and_then(|id| self.kit.state.card_transactions.get(id.0));
                let whole =
                    matches!(kind, CardKind::Void | CardKind::CompletionVoid | CardKind::PreAuthorisationCancel);
                let amount = match row {
                    Some(row) if whole => row.amount,
                    Some(row) if wants => amount.min(row.amount).max(1),
                    Some(_) | None => amount,
                };
                let shown = if kind == CardKind::QrSale { code() } else { card(of) };
                let shown = row.map_or(shown, |row| row.card.clone());
                let request = self.kit.asks(shop, kind, shown, amount, original);
                self.ask(request);
            }
            Step::Again { of } => {
                if let Some(request) = self.requests.get(&self.at(of)).cloned() {
                    self.ask(request);
                }
            }
            Step::Answer { of, answer } => self.answer(self.at(of), answer),
            Step::Reverse { of, by } => self.reverse(self.at(of), by),
            Step::AnswerReversal { of, code } => self.answer_reversal(self.at(of), code),
            Step::Credit { of, amount } => self.credit(self.at(of), amount),
            Step::CloseBatch { shop } => self.close_batch(self.shops[shop.index(self.shops.len())]),
            Step::File { more } => self.file(more),
            Step::NextDay if self.days < 6 => {
                self.days += 1;
                self.kit.later(24 * 3_600_000);
            }
            Step::Settle => {
                for shop in [self.shops[0], self.shops[2]] {
                    let today = Date::in_shanghai(self.kit.now);
                    let _ = self.kit.when(Command::Settle { merchant: shop.merchant, today });
                }
            }
            Step::NextDay => {}
            Step::Restore => self.kit.restore(),
        }
    }

    fn assert_books(&self) {
        let own = |subject| self.kit.own(subject);
        let charge = self.charge();
        let clearing = own(Subject::CentralBank) + own(Subject::ClearingUnionPay);
        let costs = own(Subject::ChannelCost) + own(Subject::Rounding);
        assert_eq!(clearing + costs, charge, "what came of the cards, with what issuers and network kept");
        let merchants: Minor = [self.shops[0], self.shops[2]]
            .map(|shop| self.kit.pending(shop.merchant) + self.kit.available(shop.merchant))
            .iter()
            .sum();
        assert_eq!(merchants + own(Subject::FeeIncome), charge, "what the merchants have of it, with their fees");
        assert_eq!(own(Subject::DueToOwn), own(Subject::FeeIncome) - costs, "the margin");
        assert_eq!(own(Subject::DueToOwn), own(Subject::DueFromReserve));
    }

    fn assert_rows(&self) {
        let mut pending: BTreeMap<MerchantId, Minor> = BTreeMap::new();
        for (_, row) in self.kit.state.card_transactions.iter() {
            let money = &row.money;
            assert!(money.refunded <= row.amount && money.reserved >= 0 && money.pending >= money.reserved, "{row:?}");
            assert_eq!(row.status, self.known[&row.id].status, "{row:?}");
            *pending.entry(row.merchant).or_default() += money.pending;
        }
        for (merchant, sum) in pending {
            assert_eq!(sum, self.kit.pending(merchant), "2202 is the sum of what its transactions have there");
        }
        let held: Minor =
            self.kit.state.card_holds.iter().map(|(id, _)| self.kit.state.hold(*id).unwrap().held()).sum();
        let all: Minor = self.kit.state.accounts.iter().map(|(_, account)| account.held_out).sum();
        assert_eq!(held, all, "only open transactions hold anything");
    }

    /// Everything is answered in the end, and nothing stays held, or open but for lack of money.
    fn end(&mut self) {
        for _ in 0..2 {
            let open: Vec<_> = self.kit.state.cards_in_outbox().map(|row| (row.id, row.status)).collect();
            for (id, status) in open {
                match status {
                    CardStatus::Reversing => self.answer_reversal(id, "00"),
                    CardStatus::Requested | CardStatus::Unknown => self.answer(id, Answer::No),
                    CardStatus::Approved | CardStatus::Declined | CardStatus::Reversed => {}
                }
            }
        }
        // A margin that 2291 cannot give back, because costs of a file took it, stays under way until it can.
        let left: Vec<_> = self.kit.state.cards_in_outbox().map(|row| row.id).collect();
        for transaction in left {
            let answer = CardTransactionCommand::AnswerReversal { transaction, code: "00".into() };
            assert_eq!(self.kit.when(of_card(answer)).unwrap_err().code, RefusalCode::InsufficientFunds);
        }
        assert_eq!(self.kit.state.card_holds.len(), 0);
        let currency = Currency::Cny;
        assert!(self.kit.state.accounts.iter().all(|(_, it)| it.currency != currency || it.held_out == 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn cards_are_charged_what_the_books_say(steps in proptest::collection::vec(step(), 1..120)) {
        let mut walk = Walk::new();
        for step in &steps {
            walk.take(step);
            walk.assert_books();
            walk.assert_rows();
        }
        walk.end();
        walk.assert_books();
        walk.assert_rows();
        walk.kit.restore();
    }
}
