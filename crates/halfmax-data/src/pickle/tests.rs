//! Tests of the pickle reader: data, refused names, damaged and hostile pickles.

use proptest::prelude::*;

use super::*;

const TENSORS: [&[u8]; 2] =
    [include_bytes!("fixtures/tensors-protocol-2.pkl"), include_bytes!("fixtures/tensors-protocol-4.pkl")];
const ARRAYS: [&[u8]; 2] =
    [include_bytes!("fixtures/arrays-protocol-2.pkl"), include_bytes!("fixtures/arrays-protocol-4.pkl")];
const LISTS: &[u8] = include_bytes!("fixtures/lists-protocol-4.pkl");

/// The vectors of a dictionary of vectors.
fn vectors(bytes: &[u8]) -> Vec<(String, Vector)> {
    let pickle = read_pickle(bytes).unwrap();
    let entries = pickle.root().entries().unwrap();
    entries.map(|(name, values)| (name.text().unwrap().to_owned(), values.vector().unwrap())).collect()
}

fn refused(bytes: &[u8]) -> String {
    read_pickle(bytes).unwrap_err().to_string()
}

#[test]
fn tensors_are_their_numbers() {
    let expected = vec![
        ("A549".to_owned(), Vector::Float32(vec![1.5, -2.25, 0.5])),
        ("HELA".to_owned(), Vector::Float32(vec![0.0, 3.0, -1.0])),
    ];
    for bytes in TENSORS {
        assert_eq!(vectors(bytes), expected);
    }
}

#[test]
fn arrays_of_numpy_are_their_numbers() {
    for bytes in ARRAYS {
        let pickle = read_pickle(bytes).unwrap();
        let found: Vec<_> = pickle.root().entries().unwrap().map(|(_, value)| value).collect();
        assert_eq!(found[0].vector().unwrap(), Vector::Float32(vec![1.5, -2.25, 0.5]));
        assert_eq!(found[1].vector().unwrap(), Vector::Integers(vec![1, 0, 1]));
        assert_eq!(found[2].number(), Some(0.25));
        let kinds: Vec<_> = found[3].items().unwrap().map(Node::kind).collect();
        assert_eq!(kinds, ["None", "a truth value", "a whole number", "a whole number", "bytes"]);
        assert!(found[3].vector().unwrap_err().to_string().contains("None as item 0"));
    }
}

#[test]
fn lists_are_their_numbers() {
    let expected = vec![
        ("A549".to_owned(), Vector::Integers(vec![1, 0, -1])),
        ("HELA".to_owned(), Vector::Integers(vec![0, 1, 1])),
    ];
    assert_eq!(vectors(LISTS), expected);
}

#[test]
fn what_would_run_code_is_refused_by_its_name() {
    // os.system("id"), as protocol 2 and protocol 4 write it.
    let old = b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R.";
    assert!(refused(old).contains("it names posix.system"), "{}", refused(old));
    let new = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.";
    assert!(refused(new).contains("it names os.system"));
    for (module, name) in [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("subprocess", "Popen"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_tensor"),
        ("numpy", "load"),
        ("collections", "OrderedDict.update"),
        ("", ""),
    ] {
        let bytes = [b"\x80\x02c", module.as_bytes(), b"\n", name.as_bytes(), b"\n)R."].concat();
        assert!(refused(&bytes).contains("is not a permitted name"), "{module}.{name}");
    }
}

#[test]
fn objects_of_classes_are_refused() {
    for opcode in [0x81u8, b'o', b'i', 0x92] {
        let bytes = [b"\x80\x04".as_slice(), &[opcode], b"os\nsystem\n."].concat();
        assert!(refused(&bytes).contains("an object of a class"));
    }
    assert!(refused(b"\x80\x04\x82\x01.").contains("the opcode 0x82"));
    assert!(
        refused(b"\x80\x04\x8c\x01aQ.").contains("the opcode 0x51"),
        "persistent ids are for headers only"
    );
}

#[test]
fn a_known_name_is_refused_with_other_arguments() {
    // _load_from_bytes of a text, a tensor without arguments, an unsupported type.
    for bytes in [
        b"\x80\x02ctorch.storage\n_load_from_bytes\nX\x02\x00\x00\x00id\x85R.".as_slice(),
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R.",
        b"\x80\x02c_codecs\nencode\nX\x02\x00\x00\x00idX\x05\x00\x00\x00utf16\x86R.",
    ] {
        assert!(refused(bytes).contains("arguments of an unexpected kind"), "{}", refused(bytes));
    }
    assert!(refused(b"\x80\x02K\x01)R.").contains("calls a value that is not a name"));
}

#[test]
fn sizes_that_are_not_there_are_refused_at_once() {
    assert!(
        refused(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fab.").contains("are announced, but 3 are left")
    );
    assert!(refused(b"\x80\x04X\xff\xff\xff\xffab.").contains("are announced"));
    assert!(refused(b"\x80\x04\x8b\xff\xff\xff\xff1.").contains("are announced"));
    assert!(refused(b"\x80\x04\x95\xff\x00\x00\x00\x00\x00\x00\x00N.").contains("a frame is longer"));
    let long = [b"\x80\x02\x8a\x14".as_slice(), &[1; 20], b"."].concat();
    assert!(refused(&long).contains("more than 128 bits"));
}

#[test]
fn a_tensor_may_not_reach_past_its_storage() {
    let bytes = TENSORS[1];
    let shape = bytes.windows(2).position(|two| two == b"K\x03").unwrap();
    let mut wrong = bytes.to_vec();
    wrong[shape + 1] = 200;
    assert!(read_pickle(&wrong).is_err());
}

#[test]
fn memory_stays_within_a_multiple_of_the_size() {
    // Empty tuples: one byte each, many in memory.
    let many = [b"\x80\x02(".as_slice(), &[b')'; 1 << 20], b"t."].concat();
    assert!(refused(&many).contains("more memory than its size allows"));
    // A list that repeatedly doubles itself, L = [L, L], only stores references.
    let doubling = [b"\x80\x02]".as_slice(), &b"2\x86".repeat(1000), b"."].concat();
    assert!(read_pickle(&doubling).is_ok());
    // Bytes that each of many arrays would copy.
    let text = [b"X\x00\x00\x01\x00".as_slice(), &[b'a'; 1 << 16]].concat();
    let once = b"(h\x01h\x02tR0";
    let head =
        [b"\x80\x02c_codecs\nencode\nq\x000".as_slice(), &text, b"q\x010X\x06\x00\x00\x00latin1q\x020"]
            .concat();
    let copies = [head, [b"h\x00".as_slice(), once].concat().repeat(200), b"N.".to_vec()].concat();
    assert!(refused(&copies).contains("more memory than its size allows"));
}

#[test]
fn depth_needs_no_stack() {
    let deep = [b"\x80\x02".as_slice(), &[b']'; 20_000], &[b'a'; 19_999], b"."].concat();
    // Nested lists stay within the memory limit or are refused; they never crash the reader.
    drop(read_pickle(&deep));
    let tuples = [b"\x80\x02N".as_slice(), &[0x85; 2_000], b"."].concat();
    assert!(read_pickle(&tuples).is_ok());
}

#[test]
fn a_cut_or_changed_pickle_is_an_error_or_a_value() {
    for bytes in [TENSORS[0], TENSORS[1], ARRAYS[0], ARRAYS[1], LISTS] {
        for length in 0..bytes.len() {
            assert!(read_pickle(&bytes[..length]).is_err(), "the first {length} bytes are not a pickle");
        }
        for at in 0..bytes.len() {
            for change in [0x01u8, 0x80, 0xff] {
                let mut changed = bytes.to_vec();
                changed[at] ^= change;
                walk(&changed);
            }
        }
    }
    assert!(refused(&[LISTS, b"x"].concat()).contains("bytes follow after its end"));
    assert!(refused(b"(lp0\nI1\na.").contains("opcode"), "protocol 0");
    assert!(refused(b"").contains("1 bytes are announced, but 0 are left"));
}

/// Walks through all values of a pickle, if it can be read.
fn walk(bytes: &[u8]) {
    let Ok(pickle) = read_pickle(bytes) else { return };
    for (name, values) in pickle.root().entries().into_iter().flatten() {
        let _ = (name.text(), values.kind(), values.vector().map(|vector| vector.len()));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_an_error_or_a_value(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        walk(&bytes);
        walk(&[b"\x80\x04".as_slice(), &bytes].concat());
    }

    #[test]
    fn any_opcodes_are_an_error_or_a_value(
        picks in proptest::collection::vec((0usize..34, any::<u8>()), 0..120)
    ) {
        const OPCODES: &[u8] = b"(.012)]}aelsutdNKJMGhqRbcQ\x85\x86\x88\x8a\x8c\x93\x94\x8f";
        let bytes: Vec<u8> = picks.iter().flat_map(|(at, byte)| [OPCODES[at % OPCODES.len()], *byte]).collect();
        walk(&bytes);
    }

    #[test]
    fn mutations_are_an_error_or_a_value(
        which in 0usize..5, changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8)
    ) {
        let all = [TENSORS[0], TENSORS[1], ARRAYS[0], ARRAYS[1], LISTS];
        let mut bytes = all[which].to_vec();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        walk(&bytes);
    }
}
