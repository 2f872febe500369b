//! The `typ` of the header (RFC 9068 §4).

use serde_json::json;
use tower_jwt_auth::TrustedIssuer;
use tower_jwt_auth::tokens::{TokenError, TokenPart};

use super::fixture::Fixture;

const OTHER_TYPES: [&str; 12] = [
    "",
    "at",
    "at+jwt ",
    " at+jwt",
    "at+jwt2",
    "xat+jwt",
    "at-jwt",
    "refresh+jwt",
    "application/",
    "application/application/at+jwt",
    "text/at+jwt",
    "logout+jwt",
];

#[tokio::test]
async fn the_type_is_at_jwt_with_or_without_prefix_in_any_case() {
    for fixture in [Fixture::own().await, Fixture::foreign(|trusted| trusted).await] {
        for good in ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "Application/AT+JWT"] {
            fixture.accepts(&fixture.builder().header("typ", good)).await;
        }
        for bad in OTHER_TYPES.into_iter().chain(["JWT", "jwt", "application/jwt"]) {
            fixture.refuses(&fixture.builder().header("typ", bad), TokenError::Type).await;
        }
        fixture.refuses(&fixture.builder().without_header("typ"), TokenError::Type).await;
        for mistyped in [json!(null), json!(1), json!(["at+jwt"])] {
            let builder = fixture.builder().header("typ", mistyped);
            fixture.refuses(&builder, TokenError::Json(TokenPart::Header)).await;
        }
    }
}

#[tokio::test]
async fn a_plain_jwt_is_accepted_where_it_is_allowed_and_no_other_type_is() {
    let fixture = Fixture::foreign(TrustedIssuer::dangerous_allow_plain_jwt_type).await;
    for plain in ["JWT", "jwt", "application/jwt", "application/JWT", "at+jwt"] {
        fixture.accepts(&fixture.builder().header("typ", plain)).await;
    }
    fixture.accepts(&fixture.builder().without_header("typ")).await;
    for bad in OTHER_TYPES {
        fixture.refuses(&fixture.builder().header("typ", bad), TokenError::Type).await;
    }
}
