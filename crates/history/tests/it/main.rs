//! The history against real files, and against a model that keeps every entry in one list.

mod columns;
mod corrupt;
mod csv;
mod end_of_day;
mod hot;
mod merge;
mod model;
mod statement;
mod tail;
mod voucher;
