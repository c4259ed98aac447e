//! Parameters of terminals: their versions, what is refused, what a terminal is told to fetch.

use alloc::string::ToString as _;
use alloc::vec;

use super::*;
use crate::command::Command;
use crate::ids::TerminalId;
use crate::terminal::TerminalCommand;
use crate::testkit::Kit;

fn key(index: u8) -> ParameterRecord {
    ParameterRecord { identity: vec![0xA0, 0, 0, 3, 0x33, index], content: vec![index; 40] }
}

fn set(public_keys: Vec<ParameterRecord>, settings: &str) -> Command {
    let (name, applications) = ("standard".to_string(), Vec::new());
    Command::SetParameters(SetParameters { name, public_keys, applications, settings: settings.to_string() })
}

fn of_terminal(command: TerminalCommand) -> Command {
    Command::Terminal(command)
}

#[test]
fn a_terminal_is_asked_for_each_part_until_it_has_the_version_in_force() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let terminal = shop.terminal;
    let missing = |kit: &Kit| kit.state.terminal(terminal).unwrap().parameters_missing(&kit.state);
    let uses = |set: &str| of_terminal(TerminalCommand::UseParameters { terminal, set: set.to_string() });
    assert_eq!(kit.when(uses("standard")).unwrap_err().code, RefusalCode::ParametersUnknown);
    assert_eq!(missing(&kit), None);
    kit.when(set(vec![key(1)], "11=03")).unwrap();
    kit.when(uses("standard")).unwrap();
    let took = |part, version| of_terminal(TerminalCommand::TookParameters { terminal, part, version });
    assert_eq!(missing(&kit), Some(ParameterPart::PublicKeys));
    kit.when(took(ParameterPart::PublicKeys, 1)).unwrap();
    assert_eq!(missing(&kit), Some(ParameterPart::Settings), "there are no applications");
    kit.when(took(ParameterPart::Settings, 1)).unwrap();
    assert_eq!(missing(&kit), None);
    kit.when(set(vec![key(1), key(2)], "11=03")).unwrap();
    assert_eq!(missing(&kit), Some(ParameterPart::PublicKeys), "there is a new version");
    // It downloaded what is not in force any more.
    assert_eq!(kit.when(took(ParameterPart::PublicKeys, 1)).unwrap_err().code, RefusalCode::ParametersOther);
    kit.when(took(ParameterPart::PublicKeys, 2)).unwrap();
    kit.restore();
    assert_eq!(missing(&kit), Some(ParameterPart::Settings));
    assert_eq!(kit.state.parameters_of("standard").unwrap().version, 2);
    // What comes back from its merchant is given its parameters anew.
    kit.when(of_terminal(TerminalCommand::Recover(terminal))).unwrap();
    assert_eq!(kit.state.terminal(terminal).unwrap().parameters, None);
}

#[test]
fn a_set_that_no_terminal_could_take_is_refused() {
    let mut kit = Kit::new();
    let big = ParameterRecord { identity: vec![0; 6], content: vec![0; MAX_RECORD + 1] };
    let short = ParameterRecord { identity: vec![0; 5], content: vec![0; 1] };
    for command in [
        set(Vec::new(), ""),
        set(vec![key(1), key(1)], ""),
        set(vec![big], ""),
        set(vec![short], ""),
        set((0..=99).map(key).collect(), ""),
        set(Vec::new(), "终端"),
    ] {
        assert_eq!(kit.when(command).unwrap_err().code, RefusalCode::ValueInvalid);
    }
    let unknown = TerminalId(99);
    let uses = of_terminal(TerminalCommand::UseParameters { terminal: unknown, set: "standard".to_string() });
    assert_eq!(kit.when(uses).unwrap_err().code, RefusalCode::TerminalUnknown);
}
