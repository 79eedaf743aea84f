//! Records on their way: canonical texts packed one after another in one buffer, each with its digest. One
//! allocation for a thousand records, and nothing to parse again on the way to the store.

use super::digest::Digest;

/// Records in order, packed. `texts[i]` is canonical JSON `{"dims":{…},"measures":{…}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    digests: Vec<Digest>,
}

impl Records {
    pub fn with_capacity(records: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(records),
            digests: Vec::with_capacity(records),
        }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all texts together.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Lets `write` append one canonical record; keeps it only when `write` returns `Ok`.
    pub fn push_with<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Digest, E> {
        let start = self.bytes.len();
        if let Err(error) = write(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(error);
        }
        let digest = Digest::of(&self.bytes[start..]);
        self.ends.push(self.bytes.len());
        self.digests.push(digest);
        Ok(digest)
    }

    /// Takes the last record back, for a caller that finds it to be a duplicate.
    pub fn pop(&mut self) {
        self.ends.pop();
        self.digests.pop();
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// The canonical text of record `index`.
    pub fn text(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    pub fn digest(&self, index: usize) -> &Digest {
        &self.digests[index]
    }

    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Digest, &[u8])> {
        (0..self.len()).map(|index| (self.digest(index), self.text(index)))
    }

    /// A digest over the records' digests in order: names the batch by what it holds.
    pub fn content_digest(&self) -> Digest {
        let mut all = Vec::with_capacity(self.digests.len() * 32);
        for digest in &self.digests {
            all.extend_from_slice(digest.as_bytes());
        }
        Digest::of(&all)
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.digests.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_record_leaves_no_trace() {
        let mut records = Records::default();
        records
            .push_with(|out| {
                out.extend_from_slice(b"{}");
                Ok::<(), ()>(())
            })
            .unwrap();
        let refused = records.push_with(|out| {
            out.extend_from_slice(b"half");
            Err("no")
        });
        assert_eq!(refused, Err("no"));
        assert_eq!((records.len(), records.byte_len()), (1, 2));
        assert_eq!(records.text(0), b"{}");
        assert_eq!(*records.digest(0), Digest::of(b"{}"));
        records.pop();
        assert!(records.is_empty());
        assert_eq!(records.byte_len(), 0);
    }
}
