//! A layer's rules, asked of a request's head alone: for adapters to frameworks that know no tower.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

/// What a layer that waits for nothing answers where the service behind it says 200, without a
/// header; `None` if it waits.
pub(super) fn at_once<L>(layer: &L, request: Request<()>) -> Option<Response<()>>
where
    L: Layer<Passed>,
    L::Service: Service<Request<()>, Response = Response<()>>,
{
    let answer = pin!(layer.layer(Passed).call(request));
    match answer.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.ok(),
        Poll::Pending => None,
    }
}

/// Answers what the layer lets pass.
#[derive(Clone, Debug)]
pub(super) struct Passed;

impl Service<Request<()>> for Passed {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}
