//! The claim of the scopes.

use serde_json::{Value, json};
use tower_jwt_auth::tokens::TokenError;
use tower_jwt_auth::{TrustedIssuer, Verifier};
use tower_jwt_auth_tests::START;

use super::{fixture, trusted};

fn scope(trusted: TrustedIssuer, claim: &str, value: Value) -> String {
    let fixture = fixture(|_| trusted.clone());
    let token = fixture.builder().claim(claim, value).sign(&fixture.signer);
    Verifier::new(trusted).verify(&token, START).unwrap().scope().to_owned()
}

#[tokio::test]
async fn scopes_are_a_text_or_a_list_in_the_configured_claim() {
    let scp = || trusted().with_scope_claim("scp").unwrap();
    assert_eq!(scope(scp(), "scp", json!("a b")), "a b");
    assert_eq!(scope(scp(), "scp", json!(["a", "b", "c:d"])), "a b c:d");
    assert_eq!(scope(scp(), "scp", json!([])), "");
    // The `scope` of the token is not the configured claim.
    assert_eq!(scope(scp(), "other", json!("a")), "");
    let list = trusted().with_scope_claim("scope").unwrap();
    assert_eq!(scope(list, "scope", json!(["a", "b"])), "a b");
}

#[tokio::test]
async fn an_element_of_a_list_grants_one_scope() {
    let fixture = fixture(|trusted| trusted.with_scope_claim("scp").unwrap());
    for bad in [json!(["a b"]), json!(["a", ""]), json!([1]), json!([["a"]]), json!(1), json!(null)]
    {
        let error = TokenError::Mistyped("scope");
        fixture.refuses(&fixture.builder().claim("scp", bad), error).await;
    }
    // A list is accepted only where the setting says so.
    let strict = super::fixture(|trusted| trusted);
    let list = strict.builder().claim("scope", json!(["a"]));
    strict.refuses(&list, TokenError::Mistyped("scope")).await;
}
