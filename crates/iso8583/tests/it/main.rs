//! The codec from outside: layouts by hand, hostile bytes, random messages, and a foreign library's.

mod broken;
mod hidden;
mod layouts;
mod oracle;
mod profiles;
mod random;
mod seeds;
mod support;
mod tlv;
