use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::body::AuthBody;
use super::decide::Anonymous;
use super::future::refusal;
use crate::error::ConfigError;
use crate::http::challenge::{AuthError, Realm, takes_body};
use crate::identity::Identity;
use crate::scope;

/// What an identity must have.
#[derive(Clone, Debug)]
enum Requirement {
    Scope(Arc<str>),
    FreshLogin(Duration),
}

impl Requirement {
    /// A pure function of the identity, which knows the time of its request.
    fn check<C>(&self, identity: &Identity<C>) -> Result<(), AuthError> {
        let has_scope = |scope| identity.has_scope(scope);
        // A token that does not tell when the login was does not tell that it was recent.
        let is_recent = |max_age| {
            identity.auth_time().is_some_and(|auth_time| identity.judged_at() < auth_time + max_age)
        };
        match self {
            Self::Scope(scope) if !scope.split(' ').all(has_scope) => {
                Err(AuthError::Scope { scope: Arc::clone(scope) })
            }
            Self::FreshLogin(max_age) if !is_recent(*max_age) => {
                Err(AuthError::StaleLogin { max_age: *max_age })
            }
            Self::Scope(_) | Self::FreshLogin(_) => Ok(()),
        }
    }
}

macro_rules! requirement_layer {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[must_use]
        pub struct $name<C> {
            requirement: Requirement,
            realm: Realm,
            claims: PhantomData<fn() -> C>,
        }

        impl<C> Clone for $name<C> {
            fn clone(&self) -> Self {
                Self {
                    requirement: self.requirement.clone(),
                    realm: self.realm.clone(),
                    claims: PhantomData,
                }
            }
        }

        impl<S, C> Layer<S> for $name<C> {
            type Service = Required<S, C>;

            fn layer(&self, inner: S) -> Required<S, C> {
                Required {
                    inner,
                    requirement: self.requirement.clone(),
                    realm: self.realm.clone(),
                    claims: PhantomData,
                }
            }
        }

        impl<C> fmt::Debug for $name<C> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.requirement).finish()
            }
        }
    };
}

requirement_layer! {
    /// Requires a scope; made by [`JwtAuthLayer::require_scope`](super::JwtAuthLayer::require_scope).
    ///
    /// Answers 403 `insufficient_scope` otherwise (RFC 6750 §3.1).
    RequireScope
}

requirement_layer! {
    /// Requires a recent login; made by
    /// [`JwtAuthLayer::require_fresh_login`](super::JwtAuthLayer::require_fresh_login).
    ///
    /// Answers 401 `insufficient_user_authentication` otherwise (RFC 9470 §3).
    RequireFreshLogin
}

impl<C> RequireScope<C> {
    pub(super) fn new(scope: &str, realm: Realm) -> Result<Self, ConfigError> {
        scope::check(scope)?;
        Ok(Self { requirement: Requirement::Scope(scope.into()), realm, claims: PhantomData })
    }
}

impl<C> RequireFreshLogin<C> {
    pub(super) fn new(max_age: Duration, realm: Realm) -> Result<Self, ConfigError> {
        if max_age.is_zero() || max_age.subsec_nanos() != 0 {
            let hint = "give whole seconds, at least one";
            return Err(ConfigError::Duration { what: "age of a login", given: max_age, hint });
        }
        Ok(Self { requirement: Requirement::FreshLogin(max_age), realm, claims: PhantomData })
    }
}

/// The service that [`RequireScope`] and [`RequireFreshLogin`] make of another one.
#[must_use]
pub struct Required<S, C> {
    inner: S,
    requirement: Requirement,
    realm: Realm,
    claims: PhantomData<fn() -> C>,
}

impl<S, C: Send + Sync + 'static> Required<S, C> {
    fn check<B>(&self, request: &Request<B>) -> Result<(), AuthError> {
        let extensions = request.extensions();
        match extensions.get::<Identity<C>>() {
            Some(identity) => self.requirement.check(identity),
            None if extensions.get::<Anonymous>().is_some() => Err(AuthError::Missing),
            None => {
                tracing::error!(
                    "a requirement stands outside of its JwtAuthLayer, or for other claims"
                );
                Err(AuthError::MissingLayer)
            }
        }
    }
}

impl<S, C, ReqBody, ResBody> Service<Request<ReqBody>> for Required<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    C: Send + Sync + 'static,
{
    type Response = Response<AuthBody<ResBody>>;
    type Error = S::Error;
    type Future = RequiredFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let state = match self.check(&request) {
            Ok(()) => State::Inner { future: self.inner.call(request) },
            Err(error) => {
                // As in `JwtAuth`: what was reserved for this request is given up.
                self.inner = self.inner.clone();
                let with_body = takes_body(request.headers());
                let response = refusal(error, &self.realm, with_body);
                State::Refused { response: Some(response) }
            }
        };
        RequiredFuture { state }
    }
}

impl<S: Clone, C> Clone for Required<S, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            requirement: self.requirement.clone(),
            realm: self.realm.clone(),
            claims: PhantomData,
        }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for Required<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Required")
            .field("inner", &self.inner)
            .field("requirement", &self.requirement)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The response of [`Required`].
    #[derive(Debug)]
    pub struct RequiredFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProjection]
    enum State<F> {
        Inner { #[pin] future: F },
        Refused { response: Option<Response<Option<Bytes>>> },
    }
}

impl<F, B, E> Future for RequiredFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<AuthBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Inner { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(AuthBody::inner)))
            }
            StateProjection::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(AuthBody::refusal))),
                None => Poll::Pending,
            },
        }
    }
}
