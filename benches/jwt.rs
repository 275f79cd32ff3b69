//! What it costs to check a bearer token: `cargo bench --bench jwt`. Microseconds for one, best of five rounds.

#[path = "../tests/jwt/minter.rs"]
mod minter;

use std::hint::black_box;
use std::time::Instant;

use minter::Minter;
use nextcloud_mcp_server::auth::claims::{Expected, LEEWAY_S};
use nextcloud_mcp_server::auth::jwks::Jwks;
use nextcloud_mcp_server::auth::jwt;
use nextcloud_mcp_server::auth::reason::Reason;
use nextcloud_mcp_server::auth::tokens::VerifiedTokens;
use nextcloud_mcp_server::clock::Clock;
use serde_json::json;

const NOW_S: u64 = 1_800_000_000;

fn main() {
    let minter = Minter::new();
    let keys = Jwks::parse(minter.jwks().to_string().as_bytes()).expect("a key set");
    let expected = Expected {
        issuers: vec!["https://cloud.example.org".into()],
        resources: vec!["https://mcp.example.org/mcp".into()],
        audiences: vec![],
        leeway_s: LEEWAY_S,
    };
    let claims = json!({
        "iss": "https://cloud.example.org", "sub": "alice", "aud": "https://mcp.example.org/mcp",
        "exp": NOW_S + 3600, "iat": NOW_S, "client_id": "a-client", "scope": "notes:read notes:write files:read",
    });
    for alg in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let token = minter.token(alg, &claims);
        let verify = || jwt::verify(black_box(&token), &keys, &expected, NOW_S);
        let tokens = VerifiedTokens::new(Clock::manual(NOW_S * 1000));
        let uncached_us = microseconds(200, || drop(black_box(verify().expect("a good token"))));
        let cached_us =
            microseconds(20_000, || drop(black_box(tokens.check(&token, verify).expect("a good token"))));
        let mut forged = token.clone();
        let at = forged.len() - 10;
        forged.replace_range(at..=at, if forged[at..].starts_with('A') { "B" } else { "A" });
        let refused_us = microseconds(200, || {
            let verdict = jwt::verify(black_box(&forged), &keys, &expected, NOW_S);
            assert_eq!(verdict, Err(Reason::BadSignature));
        });
        println!(
            "{alg}: {uncached_us:.1} uncached, {cached_us:.2} cached, {refused_us:.1} with a bad signature, {} bytes",
            token.len()
        );
    }
    let set = minter.jwks().to_string();
    println!("key set of 4: {:.1}", microseconds(2_000, || drop(black_box(Jwks::parse(set.as_bytes())))));
}

fn microseconds(rounds: u32, mut work: impl FnMut()) -> f64 {
    let round = |_| {
        let start = Instant::now();
        for _ in 0..rounds {
            work();
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds)
    };
    (0..5).map(round).fold(f64::INFINITY, f64::min)
}
