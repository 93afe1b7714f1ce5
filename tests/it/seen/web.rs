//! A worker's admin server, as a browser or a scraper asks it.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use longshore::admin::{self, Admin, View};
use longshore::config;
use serde_json::Value;

use crate::support::answered;

/// Serves `view` on a port of its own.
pub fn serve(view: View) -> (Admin, SocketAddr) {
    let mut config = config::defaults().admin;
    config.listen = Some(([127, 0, 0, 1], 0).into());
    let admin = admin::serve(admin::bind(&config).expect("bound"), view).expect("served");
    let page = admin.page.expect("an address");
    (admin, page)
}

pub struct Web {
    client: Client<HttpConnector, Empty<Bytes>>,
    port: u16,
}

pub struct Answer {
    pub status: u16,
    pub headers: hyper::HeaderMap,
    pub text: String,
}

impl Web {
    pub fn new(port: u16) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), port }
    }

    /// Asks until the server is there.
    pub async fn get(&self, path: &str) -> Answer {
        answered(path, async || self.try_get(path).await).await
    }

    async fn try_get(&self, path: &str) -> Result<Answer, String> {
        self.ask(path, &format!("127.0.0.1:{}", self.port)).await
    }

    /// Asks as somebody who calls the server `host`.
    pub async fn ask(&self, path: &str, host: &str) -> Result<Answer, String> {
        let request =
            Request::get(format!("http://127.0.0.1:{}{path}", self.port)).header("host", host);
        let request = request.body(Empty::new()).expect("a request");
        let asked = async {
            let response = self.client.request(request).await.map_err(|error| error.to_string())?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
            let text =
                String::from_utf8(body.to_bytes().to_vec()).map_err(|error| error.to_string())?;
            Ok(Answer { status, headers, text })
        };
        tokio::time::timeout(Duration::from_secs(10), asked)
            .await
            .unwrap_or_else(|_| Err("no answer within 10 s".to_owned()))
    }

    pub async fn status(&self) -> Value {
        serde_json::from_str(&self.get("/status.json").await.text).expect("JSON")
    }

    /// The sum of a metric of whole numbers over all its labels.
    pub async fn metric(&self, name: &str) -> i64 {
        let text = self.get("/metrics").await.text;
        let is_it =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        text.lines()
            .filter(is_it)
            .filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok())
            .sum()
    }
}
