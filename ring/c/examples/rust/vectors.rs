//! The ring from Rust, by rustc alone: rustc -O -L DIRECTORY_OF_LIBROOST_RING_A vectors.rs && ./vectors ring/testdata
use std::{collections::HashMap, ffi::CStr, fs, os::raw::c_char, ptr};

#[link(name = "roost_ring", kind = "static")]
extern "C" {
    fn roost_ring_abi_serves(abi: u32) -> i32;
    fn roost_ring_error_text(code: i32) -> *const c_char;
    fn roost_ring_load(bytes: *const u8, len: usize, ring: *mut u64, error: *mut u8) -> i32;
    fn roost_ring_free(ring: u64) -> i32;
    fn roost_ring_hash(key: *const u8, len: usize) -> u64;
    fn roost_ring_lookup_n(ring: u64, key: *const u8, len: usize, nodes: *mut u32, cap: usize, n: *mut usize) -> i32;
    fn roost_ring_node(ring: u64, number: u32, info: *mut Node) -> i32;
}

#[repr(C)]
struct Text {
    at: *mut u8,
    cap: usize,
    len: usize,
}
#[repr(C)]
struct Node {
    id: Text,
    addr: Text,
    zone: Text,
    weight: f64,
    capacity: f64,
    points: u32,
    slots: u32,
}

/// A ring that is freed when it goes; the error is the name of the code.
struct Ring(u64);
impl Drop for Ring {
    fn drop(&mut self) {
        assert_eq!(unsafe { roost_ring_free(self.0) }, 0);
    }
}
impl Ring {
    fn load(snapshot: &[u8]) -> Result<Ring, String> {
        let mut ring = 0;
        match unsafe { roost_ring_load(snapshot.as_ptr(), snapshot.len(), &mut ring, ptr::null_mut()) } {
            0 => Ok(Ring(ring)),
            code => Err(unsafe { CStr::from_ptr(roost_ring_error_text(code)) }
                .to_str()
                .unwrap()
                .split(':')
                .next()
                .unwrap()
                .into()),
        }
    }
    fn id(&self, number: u32) -> String {
        let mut id = [0u8; 256];
        let none = || Text { at: ptr::null_mut(), cap: 0, len: 0 };
        let mut node = Node {
            id: Text { at: id.as_mut_ptr(), cap: 256, len: 0 },
            addr: none(),
            zone: none(),
            weight: 0.0,
            capacity: 0.0,
            points: 0,
            slots: 0,
        };
        assert_eq!(unsafe { roost_ring_node(self.0, number, &mut node) }, 0);
        String::from_utf8(id[..node.id.len].to_vec()).unwrap()
    }
    fn first_four(&self, key: &[u8]) -> String {
        let (mut nodes, mut n) = ([0u32; 4], 0);
        unsafe { roost_ring_lookup_n(self.0, key.as_ptr(), key.len(), nodes.as_mut_ptr(), 4, &mut n) };
        let ids: Vec<_> = nodes[..n].iter().map(|&i| self.id(i)).collect();
        if n == 0 {
            "-".into()
        } else {
            ids.join(",")
        }
    }
}

fn main() {
    assert_eq!(unsafe { roost_ring_abi_serves(1) }, 1, "the library is of another ABI");
    let data = std::env::args().nth(1).expect("usage: vectors ring/testdata");
    let snapshot = |name: &str| fs::read(format!("{data}/snapshots/{name}")).unwrap();
    let (mut rings, mut agree) = (HashMap::new(), 0);
    for line in fs::read_to_string(format!("{data}/vectors.tsv")).unwrap().lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["load", name, ..] => {
                rings.insert(name.to_string(), Ring::load(&snapshot(name)).expect(line));
            }
            ["refuse", name, code] => assert_eq!(Ring::load(&snapshot(name)).err().as_deref(), Some(code), "{line}"),
            ["lookup", name, hex, hash, ids] => {
                let key: Vec<u8> =
                    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
                assert_eq!(format!("{:016x}", unsafe { roost_ring_hash(key.as_ptr(), key.len()) }), hash, "{line}");
                assert_eq!(rings[name].first_four(&key), ids, "{line}");
            }
            _ => continue,
        }
        agree += 1;
    }
    println!("{agree} vectors agree");
}
