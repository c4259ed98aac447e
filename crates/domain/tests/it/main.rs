//! Random commands against a small obvious model, and the laws of the books after every one of them.

mod books;
mod kept;
mod model;
mod property;
mod step;
mod walk;
