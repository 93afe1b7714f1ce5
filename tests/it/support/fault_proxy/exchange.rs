//! One call: what it meets, what is passed on, what comes back.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use longshore::queue::sqs::Operation;
use serde_json::Value;

use super::answers::{self, bytes, json};
use super::batch;
use super::deliveries::{Deliveries, messages, restore_handles};
use super::observations::Observations;
use super::plan::{Fault, Met, Plan, SETTLING};

/// The caller gets no answer but the end of its connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset")]
pub(super) struct Reset;

/// A request that was read whole.
struct Call {
    /// None for what a worker does not use: passed on as it is.
    operation: Option<Operation>,
    headers: HeaderMap,
    body: Bytes,
}

pub(super) struct Exchange {
    upstream: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
    plan: Mutex<Plan>,
    observations: Mutex<Observations>,
    deliveries: Mutex<Deliveries>,
}

impl Exchange {
    pub fn new(upstream: &str, seed: u64) -> Self {
        Self {
            upstream: upstream.parse().expect("a URL"),
            client: Client::builder(TokioExecutor::new()).build_http(),
            plan: Mutex::new(Plan::new(seed)),
            observations: Mutex::default(),
            deliveries: Mutex::default(),
        }
    }

    pub fn plan(&self) -> MutexGuard<'_, Plan> {
        lock(&self.plan)
    }

    pub fn observed(&self) -> MutexGuard<'_, Observations> {
        lock(&self.observations)
    }

    pub fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        lock(&self.deliveries)
    }

    /// Answers a request, or resets its connection. What is passed on acts in a task of its own,
    /// whether or not the caller waits for the answer: so it is with SQS, where the long poll of a
    /// caller that died can still hide messages.
    pub async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Reset> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
        let target = head
            .headers
            .get("x-amz-target")
            .and_then(|target| target.to_str().ok())
            .unwrap_or_default();
        let call = Call { operation: operation(target), headers: head.headers, body };
        let Some(operation) = call.operation else {
            return self.pass(&call).await.map(|answer| answer.map(Full::new));
        };
        let met = self.plan().meet(operation);
        self.note(operation, &call, met);
        let exchange = Arc::clone(self);
        let acting = tokio::spawn(async move {
            let answer = Arc::clone(&exchange).act(operation, call, met).await;
            exchange.observed().answer(operation);
            answer
        });
        let answer = acting.await.map_err(|_| Reset)??;
        if operation == Operation::Receive && answer.status().is_success() {
            self.observed().deliver(messages(&mut json(answer.body())));
        }
        Ok(answer.map(Full::new))
    }

    fn note(&self, operation: Operation, call: &Call, met: Met) {
        let mut observations = self.observed();
        observations.call(operation);
        if !met.delay.is_zero() {
            observations.inject(Fault::Latency(met.delay));
        }
        if let Some(attempt) = call.attempt() {
            observations.attempts.push((attempt, met.fault));
        }
    }

    async fn act(
        self: Arc<Self>,
        operation: Operation,
        mut call: Call,
        met: Met,
    ) -> Result<Response<Bytes>, Reset> {
        tokio::time::sleep(met.delay).await;
        let Some(fault) = met.fault else { return self.pass_call(operation, &mut call).await };
        match fault {
            Fault::PartialFailure | Fault::StaleHandles => {
                return self.fail_some(operation, call, fault).await;
            }
            Fault::Duplicates => return self.duplicate(call).await,
            Fault::ResetAfter => {
                let mut answer = self.pass_call(operation, &mut call).await?;
                if let Some(attempt) = call.attempt() {
                    self.deliveries().lose(&attempt, json(answer.body_mut()));
                }
            }
            _ => {}
        }
        self.observed().inject(fault);
        match fault {
            Fault::ResetBefore | Fault::ResetAfter => Err(Reset),
            Fault::Silence => match std::future::pending::<Infallible>().await {},
            error => Ok(answers::error(error, self.plan().coin())),
        }
    }

    /// Passes a call on, and counts what a receive brings.
    async fn pass_call(
        &self,
        operation: Operation,
        call: &mut Call,
    ) -> Result<Response<Bytes>, Reset> {
        if operation != Operation::Receive {
            call.change(restore_handles);
            let answer = self.pass(call).await?;
            if SETTLING.contains(&operation) && answer.status().is_success() {
                self.observed().settle(operation, &json(&call.body), &json(answer.body()));
            }
            return Ok(answer);
        }
        if let Some(found) = call.attempt().and_then(|attempt| self.deliveries().found(&attempt)) {
            return Ok(Response::new(bytes(&found)));
        }
        let answer = self.pass(call).await?;
        if !answer.status().is_success() {
            return Ok(answer);
        }
        let mut value = json(answer.body());
        let received = messages(&mut value);
        self.observed().receive(received);
        self.deliveries().mark(received);
        Ok(answer.map(|_| bytes(&value)))
    }

    /// Passes on what is left when some entries failed here.
    async fn fail_some(
        &self,
        operation: Operation,
        mut call: Call,
        fault: Fault,
    ) -> Result<Response<Bytes>, Reset> {
        let mut failed = Vec::new();
        call.change(|request| failed = batch::take_every_other(request));
        let is_left =
            json(&call.body)["Entries"].as_array().is_some_and(|entries| !entries.is_empty());
        let answer = if is_left {
            self.pass_call(operation, &mut call).await?
        } else {
            Response::new(bytes(&batch::none_done()))
        };
        if !answer.status().is_success() || failed.is_empty() {
            return Ok(answer);
        }
        self.observed().inject(fault);
        let mut value = json(answer.body());
        batch::add_failed(&mut value, fault, &failed);
        Ok(answer.map(|_| bytes(&value)))
    }

    async fn duplicate(&self, mut call: Call) -> Result<Response<Bytes>, Reset> {
        let max = json(&call.body)["MaxNumberOfMessages"]
            .as_u64()
            .and_then(|max| usize::try_from(max).ok())
            .unwrap_or(1);
        call.change(Deliveries::make_room_for_copies);
        let answer = self.pass_call(Operation::Receive, &mut call).await?;
        if !answer.status().is_success() {
            return Ok(answer);
        }
        let mut value = json(answer.body());
        if self.deliveries().duplicate(messages(&mut value), max) > 0 {
            self.observed().inject(Fault::Duplicates);
        }
        Ok(answer.map(|_| bytes(&value)))
    }

    /// Passes the call on as it is. A server that does not answer is a reset here too.
    async fn pass(&self, call: &Call) -> Result<Response<Bytes>, Reset> {
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.upstream.clone();
        *request.headers_mut() = call.headers.clone();
        // The client counts anew.
        request.headers_mut().remove(CONTENT_LENGTH);
        let (mut head, body) = self.client.request(request).await.map_err(|_| Reset)?.into_parts();
        let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
        head.headers.remove(CONTENT_LENGTH);
        head.headers.remove(TRANSFER_ENCODING);
        Ok(Response::from_parts(head, body))
    }
}

impl Call {
    fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut request = json(&self.body);
        change(&mut request);
        self.body = bytes(&request);
    }

    /// What a FIFO receive is called, so that it can be asked again.
    fn attempt(&self) -> Option<String> {
        let is_receive = self.operation == Some(Operation::Receive);
        is_receive
            .then(|| json(&self.body)["ReceiveRequestAttemptId"].as_str().map(str::to_owned))
            .flatten()
    }
}

fn operation(target: &str) -> Option<Operation> {
    Some(match target.strip_prefix("AmazonSQS.")? {
        "ReceiveMessage" => Operation::Receive,
        "DeleteMessage" | "DeleteMessageBatch" => Operation::Delete,
        "ChangeMessageVisibility" | "ChangeMessageVisibilityBatch" => Operation::ChangeVisibility,
        "SendMessage" | "SendMessageBatch" => Operation::Send,
        "GetQueueAttributes" => Operation::GetAttributes,
        _ => return None,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
