//! The query parameter (RFC 6750 §2.3).

use http::StatusCode;
use tower_jwt_auth::tokens::RequestError;

use super::{
    ALICE, access_token, assert_accepted, assert_bad_request, assert_without_credentials, at,
    with_query,
};

#[tokio::test]
async fn a_query_parameter_is_checked_where_enabled() {
    let harness = with_query();
    let token = access_token(&harness).await;
    for query in ["?access_token={}", "?a=b&access_token={}", "?access_token={}&a=b&c"] {
        let uri = format!("/path{}", query.replace("{}", &token));
        assert_accepted(&harness.send(at(&uri, &[])).await, ALICE);
    }
    for other in ["?access_tokens={}", "?xaccess_token={}", "?Access_Token={}", "?access_token"] {
        let uri = format!("/{}", other.replace("{}", &token));
        assert_without_credentials(&harness.send(at(&uri, &[])).await);
    }
    let response = harness.send(at("/?access_token=", &[])).await;
    assert_bad_request(&response, RequestError::Malformed);
    let response = harness.send(at("/?access_token=x.y.z", &[])).await;
    response.assert_refused(StatusCode::UNAUTHORIZED, "invalid_token");
}
