//! A layer's decision on a request's head alone, for adapters to frameworks without tower.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

/// Returns the answer of a layer that doesn't wait for anything, if the service behind it answers
/// 200 without headers; `None` if it does wait.
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

/// The service behind the layer, which answers every request.
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
