//! The only way to talk to an actor, and the only place that touches its address.
//!
//! actix bounds a mailbox per *clone* of an address, that is not at all. Here every message first takes one of the
//! actor's permits and keeps it until it was really handled or lost, also when nobody waits for the answer any more.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use actix::{Actor, Context, Handler, Message, dev::channel::AddressSender};
use tokio::sync::oneshot;

use super::{
    error::{AskError, Unfinished},
    place::Place,
    policy::Policy,
    vitals::{Order, Permit, Vitals},
};

/// Speaks to one supervised actor. Clones are cheap and equal; the address stays the same over restarts.
///
/// When the last clone is dropped, the actor handles what it has accepted and stops.
pub struct Handle<A: Actor> {
    line: Arc<Line<A>>,
}

struct Line<A: Actor> {
    sender: AddressSender<A>,
    vitals: Arc<Vitals>,
    /// The actor's own arbiter: what watches over an abandoned message lives exactly as long as the actor can.
    place: Place,
    policy: Arc<Policy>,
}

impl<A: Actor> Drop for Line<A> {
    fn drop(&mut self) {
        self.vitals.give_order(Order::Drain);
    }
}

impl<A: Actor> Clone for Handle<A> {
    fn clone(&self) -> Self {
        Self { line: Arc::clone(&self.line) }
    }
}

impl<A: Actor> fmt::Debug for Handle<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Handle").field(&self.line.vitals.name()).finish()
    }
}

impl<A: Actor> Handle<A> {
    pub(super) fn new(sender: AddressSender<A>, vitals: Arc<Vitals>, place: Place, policy: Arc<Policy>) -> Self {
        Self { line: Arc::new(Line { sender, vitals, place, policy }) }
    }

    /// What can be seen of the actor.
    #[must_use]
    pub fn vitals(&self) -> &Arc<Vitals> {
        &self.line.vitals
    }

    /// Stops the actor in order: takes nothing new (`Down`), and returns when all that was accepted has been answered
    /// and the actor's value has been dropped. Spawned work that answers no message is not waited for.
    ///
    /// # Errors
    /// [`Unfinished`] when that took longer than `deadline`; the actor is then ended with work left.
    pub async fn stop(&self, deadline: Duration) -> Result<(), Unfinished> {
        self.line.vitals.stop(Order::Drain, deadline).await
    }
}

impl<A: Actor<Context = Context<A>>> Handle<A> {
    /// Sends a message and waits for its answer, at most as long as the policy's deadline.
    ///
    /// # Errors
    /// [`AskError`], which says whether the message may have been handled.
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, AskError>
    where
        A: Handler<M>,
        M: Message<Result: Send> + Send + 'static,
    {
        self.ask_within(message, self.line.policy.deadline).await
    }

    /// As [`Handle::ask`], with a deadline of the caller's.
    ///
    /// # Errors
    /// [`AskError`], which says whether the message may have been handled.
    pub async fn ask_within<M>(&self, message: M, deadline: Duration) -> Result<M::Result, AskError>
    where
        A: Handler<M>,
        M: Message<Result: Send> + Send + 'static,
    {
        let sent = self.send(message);
        let outcome = match sent {
            Err(error) => Err(error),
            Ok(reply) => tokio::time::timeout(deadline, reply).await.unwrap_or(Err(AskError::Deadline)),
        };
        self.count(&outcome);
        outcome
    }

    /// Sends a message whose answer nobody waits for. It takes a permit until it was handled.
    ///
    /// # Errors
    /// Only those that are safe to retry: the message was not sent.
    pub fn tell<M>(&self, message: M) -> Result<(), AskError>
    where
        A: Handler<M>,
        M: Message<Result: Send> + Send + 'static,
    {
        match self.send(message) {
            Ok(reply) => {
                reply.watched.as_ref().inspect(|(_, permit)| permit.vitals().count_told());
                Ok(())
            }
            Err(error) => {
                self.line.vitals.count_error(error);
                Err(error)
            }
        }
    }

    fn send<M>(&self, message: M) -> Result<Reply<'_, M::Result>, AskError>
    where
        A: Handler<M>,
        M: Message<Result: Send> + Send + 'static,
    {
        let permit = Permit::take(&self.line.vitals)?;
        let answer = self.line.sender.send(message).map_err(|_| AskError::Down)?;
        Ok(Reply { watched: Some((answer, permit)), place: &self.line.place })
    }

    fn count<R>(&self, outcome: &Result<R, AskError>) {
        match outcome {
            Ok(_) => self.line.vitals.count_answer(),
            Err(error) => self.line.vitals.count_error(*error),
        }
    }
}

/// An answer on its way. Dropped early, it leaves the permit with a task that waits for the message to be done.
struct Reply<'a, R: Send + 'static> {
    watched: Option<(oneshot::Receiver<R>, Permit)>,
    place: &'a Place,
}

impl<R: Send + 'static> Future for Reply<'_, R> {
    type Output = Result<R, AskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let Some((answer, _)) = &mut self.watched else {
            return Poll::Ready(Err(AskError::Crashed));
        };
        let outcome = ready!(Pin::new(answer).poll(context));
        self.watched = None;
        Poll::Ready(outcome.map_err(|_| AskError::Crashed))
    }
}

impl<R: Send + 'static> Drop for Reply<'_, R> {
    #[expect(clippy::disallowed_methods, reason = "this is the runtime; the task ends with the message it watches")]
    fn drop(&mut self) {
        let Some((answer, permit)) = self.watched.take() else { return };
        self.place.runtime().spawn(async move {
            let _ = answer.await;
            drop(permit);
        });
    }
}
