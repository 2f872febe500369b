//! A client of the provider.

use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use serde_json::Value;
use tower_jwt_auth_tests::servers::OidcProvider;

/// Where the provider redirects the user with the code. Nobody listens there.
const CALLBACK: &str = "http://127.0.0.1/callback";
/// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Returns the resource whose access tokens are signed with this algorithm, and with this key if one is given.
pub(crate) fn resource(algorithm: &str) -> String {
    format!("https://api.example/{algorithm}")
}

/// Returns an access token by client credentials, for the scope `read`.
pub(crate) async fn client_token(provider: &OidcProvider, resource: &str) -> String {
    try_client_token(provider, resource).await.unwrap()
}

/// Returns an access token by client credentials, or the error of a provider that cannot be reached.
pub(crate) async fn try_client_token(
    provider: &OidcProvider,
    resource: &str,
) -> reqwest::Result<String> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "service"),
        ("client_secret", "the secret of the service"),
        ("resource", resource),
        ("scope", "read"),
    ];
    let url = format!("{}/token", provider.issuer());
    let tokens = json(post(&client(), &url, &form).await?).await;
    Ok(tokens["access_token"].as_str().unwrap().to_owned())
}

/// The tokens of a user.
pub(crate) struct UserTokens {
    pub(crate) access_token: String,
    pub(crate) id_token: String,
}

/// Signs in as this user by authorization code with PKCE, and consents.
pub(crate) async fn sign_in(provider: &OidcProvider, user: &str, resource: &str) -> UserTokens {
    let client = client();
    let request = [
        ("client_id", "web"),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid read write"),
        ("resource", resource),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let issuer = Url::parse(&provider.issuer()).unwrap();
    let mut url = Url::parse_with_params(issuer.join("auth").unwrap().as_str(), request).unwrap();
    // The pages are: login, consent. Between them the provider redirects.
    for _ in 0..10 {
        if url.as_str().starts_with(CALLBACK) {
            break;
        }
        let mut response = client.get(url.clone()).send().await.unwrap();
        if response.status().is_success() {
            let page = response.text().await.unwrap();
            let prompt = if page.contains(r#"name="login""#) { "login" } else { "consent" };
            let form = [("prompt", prompt), ("login", user), ("password", "any")];
            response = post(&client, url.as_str(), &form).await.unwrap();
        }
        assert!(response.status().is_redirection(), "{}", response.status());
        url = url.join(response.headers()[LOCATION].to_str().unwrap()).unwrap();
    }
    let code = url.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "web"),
        ("redirect_uri", CALLBACK),
        ("code", &code),
        ("code_verifier", VERIFIER),
        ("resource", resource),
    ];
    let url = issuer.join("token").unwrap();
    let tokens = json(post(&client, url.as_str(), &form).await.unwrap()).await;
    let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
    UserTokens { access_token: token("access_token"), id_token: token("id_token") }
}

/// Returns the JWK set of the provider.
pub(crate) async fn jwks(provider: &OidcProvider) -> String {
    let url = format!("{}/jwks", provider.issuer());
    client().get(url).send().await.unwrap().text().await.unwrap()
}

fn client() -> Client {
    let builder = Client::builder().no_proxy().cookie_store(true).redirect(Policy::none());
    builder.build().unwrap()
}

async fn post(client: &Client, url: &str, form: &[(&str, &str)]) -> reqwest::Result<Response> {
    let encoded = Url::parse_with_params(CALLBACK, form).unwrap();
    let body = encoded.query().unwrap().to_owned();
    let request = client.post(url).header("content-type", "application/x-www-form-urlencoded");
    request.body(body).send().await
}

async fn json(response: Response) -> Value {
    let status = response.status();
    let body = response.text().await.unwrap();
    assert!(status.is_success(), "{status}: {body}");
    serde_json::from_str(&body).unwrap()
}
