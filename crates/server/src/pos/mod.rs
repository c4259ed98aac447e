//! Terminals at points of sale: what lies on the wire between them and the platform.
//!
//! | where | what |
//! |---|---|
//! | [`envelope`] | what goes before a message: TPDU, LRI, header |
//! | [`answer_code`] | what field 39 says |

pub(crate) mod answer_code;
pub(crate) mod envelope;
