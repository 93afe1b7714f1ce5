//! Answers of the proxy's own, worded as AWS does.

use hyper::Response;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::plan::Fault;

/// The names of the query protocol, which AWS still sends in this header and the SDK prefers.
/// <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait>
const QUERY_ERROR: &str = "x-amzn-query-error";

/// An error by which the whole call failed. Where AWS has two for one thing, `other` picks.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>
pub(super) fn error(fault: Fault, other: bool) -> Response<Bytes> {
    let (status, shape, query_error, message) = match fault {
        Fault::Unavailable if other => (
            500,
            "com.amazonaws.sqs#InternalError",
            "InternalError;Server",
            "We encountered an internal error.",
        ),
        Fault::Unavailable => {
            (503, "com.amazonaws.sqs#ServiceUnavailable", "ServiceUnavailable;Server", "Try again.")
        }
        Fault::Throttled if other => (
            400,
            "com.amazon.coral.availability#ThrottlingException",
            "ThrottlingException;Sender",
            "Rate exceeded",
        ),
        Fault::Throttled => (
            403,
            "com.amazonaws.sqs#RequestThrottled",
            "RequestThrottled;Sender",
            "Request is throttled.",
        ),
        Fault::ExpiredToken if other => (
            403,
            "com.amazon.coral.service#UnrecognizedClientException",
            "InvalidClientTokenId;Sender",
            "The security token included in the request is invalid.",
        ),
        Fault::ExpiredToken => (
            403,
            "com.amazon.coral.service#ExpiredTokenException",
            "ExpiredToken;Sender",
            "The security token included in the request is expired",
        ),
        Fault::Denied => (
            403,
            "com.amazon.coral.service#AccessDeniedException",
            "AccessDenied;Sender",
            "Access to the resource is denied.",
        ),
        Fault::Missing => (
            400,
            "com.amazonaws.sqs#QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue;Sender",
            "The specified queue does not exist.",
        ),
        _ => panic!("{} is not an error that fails a call", fault.name()),
    };
    let answer = Response::builder().status(status).header(QUERY_ERROR, query_error);
    answer.body(bytes(&json!({ "__type": shape, "message": message }))).expect("an answer")
}

/// A failed entry of a batch.
pub(super) fn failed_entry(fault: Fault, id: &Value) -> Value {
    match fault {
        Fault::StaleHandles => json!({
            "Id": id, "SenderFault": true, "Code": "ReceiptHandleIsInvalid", "Message": "The input receipt handle is invalid."
        }),
        _ => {
            json!({ "Id": id, "SenderFault": false, "Code": "InternalError", "Message": "We encountered an internal error." })
        }
    }
}

pub(super) fn bytes(value: &Value) -> Bytes {
    value.to_string().into()
}

pub(super) fn json(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).expect("the JSON protocol")
}
