use std::io::Write;

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use futures_util::stream;

use super::*;

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(name.clone(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// The body in chunks of `size` bytes, as a connection would give it.
fn payload(body: &[u8], size: usize) -> Payload {
    let chunks: Vec<_> = body.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    Payload::Stream { payload: Box::pin(stream::iter(chunks)) }
}

async fn read(bodies: &Bodies, encoding: &str, body: &[u8], size: usize) -> Result<Vec<u8>, Fault> {
    let headers = headers(&[(header::CONTENT_ENCODING, encoding)]);
    bodies.read(&headers, &mut payload(body, size)).await
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[actix_web::test]
async fn bodies_come_out_as_they_went_in() {
    let plain: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
    let bodies = Bodies::new(1 << 20, 1 << 20);
    let zstd = zstd::encode_all(&plain[..], 3).unwrap();
    let members = [gzip(&plain[..1000]), gzip(&plain[1000..])].concat();
    for (encoding, body) in [("identity", &plain), ("gzip", &gzip(&plain)), ("x-gzip", &members), ("zstd", &zstd)] {
        for size in [1 << 20, 997] {
            assert!(read(&bodies, encoding, body, size).await.unwrap() == plain, "{encoding} in chunks of {size}");
        }
    }
}

#[actix_web::test]
async fn bombs_stop_at_the_limit_and_give_their_memory_back() {
    let bodies = Bodies::new(1 << 20, 100_000);
    let before = bodies.budget.left.load(Ordering::Relaxed);
    let plain = vec![0; 50_000_000];
    for (encoding, bomb) in [("gzip", gzip(&plain)), ("zstd", zstd::encode_all(&plain[..], 3).unwrap())] {
        assert!(bomb.len() < 100_000);
        let fault = read(&bodies, encoding, &bomb, 65_536).await.unwrap_err();
        assert_eq!(fault.code, Code::BodyTooLarge, "{encoding}: {fault}");
        assert!(fault.detail.contains("100000 bytes after decompression"), "{fault}");
    }
    assert_eq!(bodies.budget.left.load(Ordering::Relaxed), before);
}

#[actix_web::test]
async fn a_large_body_is_refused_by_its_header_and_without_one_at_the_limit() {
    let bodies = Bodies::new(1000, 1000);
    let declared = headers(&[(header::CONTENT_LENGTH, "10737418240")]);
    let mut unread: Payload = Payload::Stream { payload: Box::pin(stream::pending()) };
    let fault = bodies.read(&declared, &mut unread).await.unwrap_err();
    assert_eq!(fault.code, Code::BodyTooLarge);
    assert!(fault.detail.contains("10737418240"), "{fault}");
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 300])));
    let mut endless: Payload = Payload::Stream { payload: Box::pin(endless) };
    let fault = bodies.read(&HeaderMap::new(), &mut endless).await.unwrap_err();
    assert!(fault.detail.contains("at least 1200 bytes"), "{fault}");
}

#[actix_web::test]
async fn broken_and_foreign_encodings_are_named() {
    let bodies = Bodies::new(1 << 20, 1 << 20);
    let whole = gzip(b"hello, hello, hello");
    let cut = &whole[..whole.len() - 5];
    let zstd = zstd::encode_all(&[7; 5000][..], 3).unwrap();
    for (encoding, body) in [("gzip", cut), ("gzip", b"not gzip"), ("zstd", &zstd[..zstd.len() - 2]), ("zstd", b"no")] {
        let fault = read(&bodies, encoding, body, 100).await.unwrap_err();
        assert_eq!(fault.code, Code::InvalidRequest, "{encoding}: {fault}");
        assert!(fault.detail.contains(encoding), "{fault}");
    }
    assert_eq!(read(&bodies, "br", b"", 1).await.unwrap_err().code, Code::UnsupportedType);
}

#[actix_web::test]
async fn all_bodies_together_are_bounded() {
    let bodies = Bodies::new(1000, 1000);
    let mut others = bodies.budget.clone().reserve_nothing();
    assert!(others.grow(3_500));
    assert_eq!(read(&bodies, "", &[1; 900], 100).await.unwrap_err().code, Code::Overloaded);
    drop(others);
    assert!(read(&bodies, "", &[1; 900], 100).await.is_ok());
}

#[test]
fn what_is_not_json_is_refused_by_its_type() {
    for good in ["", "application/json; charset=utf-8", "application/vnd.api+json", "application/x-www-form-urlencoded"]
    {
        assert_eq!(expect_json(&headers(&[(header::CONTENT_TYPE, good)])), Ok(()), "{good}");
    }
    for bad in ["text/csv", "application/yaml", "multipart/form-data; boundary=x"] {
        let fault = expect_json(&headers(&[(header::CONTENT_TYPE, bad)])).unwrap_err();
        assert_eq!(fault.code, Code::UnsupportedType, "{bad}");
    }
}
