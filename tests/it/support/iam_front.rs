//! Stands before a `mongod` and plays what only a server with AWS behind it does: it takes logins by
//! MONGODB-AWS, and lets nobody ask anything without one. All else is the `mongod`'s.
//! <https://github.com/mongodb/specifications/blob/master/source/auth/auth.md#mongodb-aws>
//!
//! What the server and STS would look at is looked at: the two messages of the client field by field,
//! and its signature, by computing it again.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bson::spec::BinarySubtype;
use bson::{Binary, Document, doc};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Where a request to STS would go; its region is the one that must be signed for.
const STS: (&str, &str) = ("sts.eu-west-1.amazonaws.com", "eu-west-1");

const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// As far off as AWS takes a signature's time.
const SKEW_MAX: Duration = Duration::from_mins(5);

const OP_MSG: i32 = 2013;

/// Asked before a login.
const BEFORE_A_LOGIN: [&str; 4] = ["hello", "isMaster", "ismaster", "endSessions"];

/// Who logs in with this access key is told what STS would have signed, token and all.
pub const QUOTED: &str = "AKIAQUOTED";

/// Who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IamUser {
    pub access_key: String,
    pub secret: String,
    pub token: Option<String>,
}

impl IamUser {
    pub fn new(access_key: &str, secret: &str, token: Option<&str>) -> Self {
        let token = token.map(str::to_owned);
        Self { access_key: access_key.to_owned(), secret: secret.to_owned(), token }
    }
}

pub struct IamFront {
    /// `host:port`, for a URI.
    pub address: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    user: Mutex<IamUser>,
    /// The access key of each login, and whether it was let in.
    logins: Mutex<Vec<(String, bool)>>,
}

impl IamFront {
    /// Before the `mongod` at `to`, `host:port`.
    pub async fn start(to: &str, user: IamUser) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(State { user: Mutex::new(user), logins: Mutex::default() });
        let (shared, to) = (Arc::clone(&state), to.to_owned());
        let server = tokio::spawn(async move {
            // They end with this future, which owns their tasks.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&to).await.expect("the mongod");
                connections.spawn(serve(client, server, Arc::clone(&shared)));
            }
        });
        Self { address, state, server }
    }

    /// Another user from now on, and nobody else.
    pub fn take(&self, user: IamUser) {
        *self.state.user() = user;
    }

    pub fn logins(&self) -> Vec<(String, bool)> {
        self.state.logins.lock().expect("no panic").clone()
    }
}

impl Drop for IamFront {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    fn user(&self) -> MutexGuard<'_, IamUser> {
        self.user.lock().expect("no panic")
    }
}

/// Passes on what the server says, and what the client says, but for logins.
async fn serve(client: TcpStream, server: TcpStream, state: Arc<State>) {
    let ((mut from_client, to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let to_client = tokio::sync::Mutex::new(to_client);
    let answers = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            if to_client.lock().await.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    let requests = async {
        let mut login = Login::default();
        while let Some(message) = message(&mut from_client).await {
            if login.is_done {
                if to_server.write_all(&message).await.is_err() {
                    return;
                }
                let _ = copy(&mut from_client, &mut to_server).await;
                return;
            }
            match login.answer(&message, &state) {
                Some(answer) => reply(&mut *to_client.lock().await, &message, &answer).await,
                None if to_server.write_all(&message).await.is_err() => return,
                None => {}
            }
        }
    };
    tokio::select! {
        () = answers => {}
        () = requests => {}
    }
}

/// A message with its header; `None` at the end.
async fn message(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let length = from.read_i32_le().await.ok()?;
    let mut message = length.to_le_bytes().to_vec();
    message.resize(usize::try_from(length).ok()?, 0);
    from.read_exact(&mut message[4..]).await.ok()?;
    Some(message)
}

fn number(message: &[u8], at: usize) -> i32 {
    i32::from_le_bytes(message[at..at + 4].try_into().expect("four bytes"))
}

async fn reply(to: &mut OwnedWriteHalf, request: &[u8], answer: &Document) {
    let mut body = vec![0; 5];
    answer.to_writer(&mut body).expect("BSON");
    let length = i32::try_from(16 + body.len()).expect("short");
    let header = [length, 0, number(request, 4), OP_MSG];
    let header: Vec<u8> = header.into_iter().flat_map(i32::to_le_bytes).collect();
    // Its client may be gone.
    let _ = to.write_all(&[header, body].concat()).await;
}

/// The login of one connection.
#[derive(Default)]
struct Login {
    nonce: Vec<u8>,
    is_done: bool,
}

impl Login {
    /// `None` where the server is to answer.
    fn answer(&mut self, message: &[u8], state: &State) -> Option<Document> {
        if number(message, 12) != OP_MSG {
            return None;
        }
        let command = Document::from_reader(&message[21..]).expect("a command");
        let name = command.keys().next().expect("a name").clone();
        match name.as_str() {
            "saslStart" => Some(self.start(&command)),
            "saslContinue" => Some(self.go_on(&command, state)),
            name if BEFORE_A_LOGIN.contains(&name) => None,
            name => Some(refusal(
                13,
                "Unauthorized",
                &format!("command {name} requires authentication"),
            )),
        }
    }

    fn start(&mut self, command: &Document) -> Document {
        assert_eq!(command.get_str("mechanism").ok(), Some("MONGODB-AWS"), "{command}");
        assert_eq!(command.get_str("$db").ok(), Some("$external"), "{command}");
        let said = payload(command);
        let nonce = said.get_binary_generic("r").expect("a nonce");
        assert_eq!((nonce.len(), said.get_i32("p").ok()), (32, Some(110)), "{said}");
        self.nonce = [nonce.clone(), vec![7; 32]].concat();
        let answer = doc! { "s": binary(self.nonce.clone()), "h": STS.0 };
        doc! { "conversationId": 1, "done": false, "payload": binary(bytes(&answer)), "ok": 1 }
    }

    fn go_on(&mut self, command: &Document, state: &State) -> Document {
        assert_eq!(command.get_str("$db").ok(), Some("$external"), "{command}");
        let (said, user) = (payload(command), state.user().clone());
        let given = said.get_str("a").expect("a signature");
        let key = given.split_once("Credential=").and_then(|(_, rest)| rest.split_once('/'));
        let key = key.expect("an access key").0.to_owned();
        let expected = signature(&user, said.get_str("d").expect("a date"), &self.nonce);
        let token = user.token.as_deref();
        self.is_done = said.get_str("t").ok() == token && expected.as_deref() == Some(given);
        state.logins.lock().expect("no panic").push((key.clone(), self.is_done));
        if key == QUOTED {
            let text = format!(
                "The request signature we calculated does not match. The Canonical String should have been 'POST x-amz-security-token:{}'",
                said.get_str("t").unwrap_or_default()
            );
            return refusal(18, "AuthenticationFailed", &text);
        }
        if !self.is_done {
            return refusal(18, "AuthenticationFailed", "Authentication failed.");
        }
        doc! { "conversationId": 1, "done": true, "payload": binary(Vec::new()), "ok": 1 }
    }
}

fn payload(command: &Document) -> Document {
    let bytes = command.get_binary_generic("payload").expect("a payload");
    Document::from_reader(bytes.as_slice()).expect("BSON")
}

fn bytes(document: &Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.to_writer(&mut bytes).expect("BSON");
    bytes
}

fn binary(bytes: Vec<u8>) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes }
}

fn refusal(code: i32, name: &str, text: &str) -> Document {
    doc! { "ok": 0, "errmsg": text, "code": code, "codeName": name }
}

/// The header that this user would send, signed at `date`. `None` where STS would not take the date.
fn signature(user: &IamUser, date: &str, nonce: &[u8]) -> Option<String> {
    let at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    let at = SystemTime::from(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp());
    let now = SystemTime::now();
    let off = now.duration_since(at).or_else(|_| at.duration_since(now)).ok()?;
    if off > SKEW_MAX {
        return None;
    }
    let identity =
        Credentials::new(&user.access_key, &user.secret, user.token.clone(), None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(STS.1)
        .name("sts")
        .time(at)
        .settings(SigningSettings::default())
        .build()
        .expect("complete");
    let (length, nonce) = (BODY.len().to_string(), BASE64_STANDARD.encode(nonce));
    let headers = [
        ("content-length", length.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
        ("host", STS.0),
        ("x-amz-date", date),
        ("x-mongodb-gs2-cb-flag", "n"),
        ("x-mongodb-server-nonce", &nonce),
    ];
    let token = user.token.as_deref().map(|token| ("x-amz-security-token", token));
    let url = format!("https://{}/", STS.0);
    let body = SignableBody::Bytes(BODY.as_bytes());
    let request = SignableRequest::new("POST", url, headers.into_iter().chain(token), body)
        .expect("signable");
    let (instructions, _) = sign(request, &params.into()).expect("signed").into_parts();
    let (_, header) = instructions.headers().find(|(name, _)| *name == "authorization")?;
    // What the specification has signed.
    let token = if user.token.is_some() { "x-amz-security-token;" } else { "" };
    let signed = format!(
        "SignedHeaders=content-length;content-type;host;x-amz-date;{token}x-mongodb-gs2-cb-flag;x-mongodb-server-nonce,"
    );
    assert!(header.contains(&signed), "{header}");
    Some(header.to_owned())
}
