//! What a chip made of the issuer's scripts (脚本处理结果通知): answered 00 once it is in the journal, for from then on the network is
//! told until it has it. Of the chip data in field 55 only the results (DF31) go on or stay anywhere.

use domain::Command;
use domain::card_transaction::{CardTransactionCommand, OriginalRef, ReportScripts};
use iso8583::tlv::Reader;

use super::desk::Desk;
use super::known::{Known, digits};
use super::{Asked, Decision, Told};
use crate::pos::forward::SCRIPT_RESULTS;
use crate::pos::network::CardNetwork;

const REFERENCE: u8 = 37;
const CHIP: u8 = 55;
const ORIGINAL: u8 = 61;

impl<N: CardNetwork> Desk<N> {
    pub(super) async fn report_scripts(&self, asked: &Asked<'_>, known: &Known) -> Result<Told, Decision> {
        let of = named(asked).ok_or_else(|| asked.format_error())?;
        let results = results(asked).ok_or_else(|| asked.format_error())?;
        let report = ReportScripts { terminal: known.id, of, results };
        let command = Command::CardTransaction(CardTransactionCommand::ReportScripts(report));
        self.submit(asked.acquirer, known.id, command, |_, _| Some(())).await?;
        metrics::counter!("lintel_pos_transactions_total", "outcome" => "scripts_reported").increment(1);
        Ok(Told::of(&asked.acquirer.codes.approved))
    }
}

/// The transaction whose answer brought the scripts: by batch and trace, or by its reference.
fn named(asked: &Asked<'_>) -> Option<OriginalRef> {
    let number = |part| digits(asked.message, ORIGINAL, Some(part)).and_then(|digits| digits.parse().ok());
    let trace = || Some(OriginalRef::Trace { batch: number(0)?, trace: number(1)? });
    let reference =
        || asked.message.text(REFERENCE).ok().map(|text| OriginalRef::Reference(text.trim_end().to_owned()));
    trace().or_else(reference)
}

fn results(asked: &Asked<'_>) -> Option<Vec<u8>> {
    let chip = asked.message.bytes(CHIP).ok()?;
    let found = Reader::new(chip).map_while(Result::ok).find(|element| element.tag == SCRIPT_RESULTS);
    found.map(|element| element.value.to_vec())
}
