//! A candidate of the comparison, and how it is called.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, Response, StatusCode};
use tower::Service;

use crate::tokens::Token;

/// Work whose duration, allocations and instructions are measured for each token.
pub(crate) trait Case: Send {
    /// Prepares the work for these tokens, which is not measured.
    fn prepare(&mut self, tokens: &[Token]);

    /// Does the prepared work. Returns for how many tokens the result was the expected one.
    fn run(&mut self) -> usize;
}

/// Calls a service in this thread, as a server does that is always ready.
#[derive(Debug)]
pub(crate) struct ServiceCase<S> {
    service: S,
    expected: StatusCode,
    extension: bool,
    requests: Vec<Request<Body>>,
    /// The headers of the requests, which are not freed with them, as those of a server that reuses its buffer.
    headers: Vec<HeaderValue>,
}

impl<S> ServiceCase<S> {
    pub(crate) fn new(service: S) -> Self {
        Self {
            service,
            expected: StatusCode::OK,
            extension: false,
            requests: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// Expects the requests to be rejected with 401.
    pub(crate) fn rejecting(mut self) -> Self {
        self.expected = StatusCode::UNAUTHORIZED;
        self
    }

    /// Gives the requests an extension, as servers and routers usually do.
    pub(crate) fn with_extension(mut self) -> Self {
        self.extension = true;
        self
    }
}

/// The extension of requests that have one.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "only its presence matters")]
struct PeerAddress(u64);

impl<S, R> Case for ServiceCase<S>
where
    S: Service<Request<Body>, Response = Response<R>> + Send,
{
    fn prepare(&mut self, tokens: &[Token]) {
        self.headers.clear();
        self.headers.extend(tokens.iter().map(Token::received));
        self.requests.extend(self.headers.iter().map(|header| {
            let mut request = Request::new(Body::empty());
            request.headers_mut().insert(AUTHORIZATION, header.clone());
            if self.extension {
                request.extensions_mut().insert(PeerAddress(7));
            }
            request
        }));
    }

    fn run(&mut self) -> usize {
        let mut as_expected = 0;
        let mut context = Context::from_waker(Waker::noop());
        for request in self.requests.drain(..) {
            if !matches!(self.service.poll_ready(&mut context), Poll::Ready(Ok(()))) {
                continue;
            }
            let future = pin!(self.service.call(request));
            if let Poll::Ready(Ok(response)) = future.poll(&mut context) {
                as_expected += usize::from(response.status() == self.expected);
                black_box(response);
            }
        }
        as_expected
    }
}

/// Calls a function with each token.
pub(crate) struct FnCase<P, F> {
    prepare: fn(&Token) -> P,
    check: F,
    prepared: Vec<P>,
}

impl<P, F> FnCase<P, F> {
    pub(crate) fn new(prepare: fn(&Token) -> P, check: F) -> Self {
        Self { prepare, check, prepared: Vec::new() }
    }
}

impl<P: Send, F: Fn(&P) -> bool + Send> Case for FnCase<P, F> {
    fn prepare(&mut self, tokens: &[Token]) {
        self.prepared.clear();
        self.prepared.extend(tokens.iter().map(self.prepare));
    }

    fn run(&mut self) -> usize {
        self.prepared.iter().filter(|prepared| black_box((self.check)(black_box(prepared)))).count()
    }
}

/// Tokens in rotation.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    tokens: Arc<[Token]>,
    next: usize,
}

impl Feed {
    pub(crate) fn new(tokens: Arc<[Token]>) -> Self {
        Self { tokens, next: 0 }
    }

    /// Returns the number of tokens until they repeat.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Returns the next tokens.
    pub(crate) fn take(&mut self, number: usize) -> Vec<Token> {
        (0..number)
            .filter_map(|_| {
                let token = self.tokens.get(self.next)?;
                self.next = (self.next + 1) % self.tokens.len();
                Some(token.clone())
            })
            .collect()
    }
}
