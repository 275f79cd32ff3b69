//! Bearer tokens, judged from outside: published examples, tokens of real providers, a table of tokens that must be refused,
//! and rules for all tokens. The cases are data: `fixtures/jwt/`.

mod minter;
mod properties;
mod recorded;
mod sets;
mod table;
mod vectors;
