use std::io;

use dbos_testkit::behaviours;
use dbos_testkit::http::{Request, Response, get, post_json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

behaviours! { http:
    a_request_is_sent_as_written on nothing,
    a_header_may_be_forged on nothing,
    an_answer_of_known_length_is_read on nothing,
    an_answer_in_chunks_is_read on nothing,
    an_answer_that_is_cut_short_is_an_error on nothing,
    nobody_there_is_an_error on nothing,
}

/// Answers one connection and gives back what it was asked.
async fn answering(answer: &'static str) -> io::Result<(String, JoinHandle<io::Result<String>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await?;
        let mut request = vec![0; 4096];
        let length = client.read(&mut request).await?;
        client.write_all(answer.as_bytes()).await?;
        request.truncate(length);
        Ok(String::from_utf8_lossy(&request).into_owned())
    });
    Ok((format!("http://{address}"), server))
}

async fn answer(answer: &'static str) -> io::Result<Response> {
    get(answering(answer).await?.0).await
}

async fn a_request_is_sent_as_written() -> io::Result<()> {
    let (url, server) = answering("HTTP/1.1 204 No Content\r\n\r\n").await?;

    let response = post_json(format!("{url}/orders?a=1"), &[1, 2]).await?;

    assert_eq!(response.status, 204);
    let authority = url.trim_start_matches("http://");
    let expected = format!(
        "POST /orders?a=1 HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Length: 5\r\n\
         Content-Type: application/json\r\n\r\n[1,2]"
    );
    assert_eq!(server.await??, expected);
    Ok(())
}

async fn a_header_may_be_forged() -> io::Result<()> {
    let (url, server) = answering("HTTP/1.1 200 OK\r\n\r\n").await?;

    Request::new("GET", url).header("host", "elsewhere").send().await?;

    let request = server.await??;
    assert!(request.contains("host: elsewhere\r\n") && !request.contains("Host:"), "{request}");
    Ok(())
}

async fn an_answer_of_known_length_is_read() -> io::Result<()> {
    let response = answer("HTTP/1.1 409 Conflict\r\nX-A: b\r\nContent-Length: 5\r\n\r\n[1,2]").await?;

    assert_eq!(response.status, 409);
    assert_eq!(response.header("x-a"), Some("b"));
    assert_eq!(response.json::<Vec<u8>>(), [1, 2]);
    Ok(())
}

async fn an_answer_in_chunks_is_read() -> io::Result<()> {
    let response =
        answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n")
            .await?;

    assert_eq!(response.body, "abc0123456789");
    Ok(())
}

async fn an_answer_that_is_cut_short_is_an_error() {
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1,2",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        assert!(answer(cut).await.is_err(), "{cut}");
    }
}

async fn nobody_there_is_an_error() {
    let url = format!("http://127.0.0.1:{}", dbos_testkit::free_port());

    assert!(get(url).await.is_err());
}
