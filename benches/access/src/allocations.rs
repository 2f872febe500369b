//! An allocator that counts, at the cost of an addition for each allocation.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Whether the bytes in use are counted, which costs more than the count of one thread.
static COUNTS_BYTES: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicI64 = AtomicI64::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's allocator does the work. Neither counter allocates, as the one of a thread has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        add_bytes(layout.size(), 1);
        // SAFETY: the caller keeps the rules of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add_bytes(layout.size(), -1);
        // SAFETY: the caller keeps the rules of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        add_bytes(layout.size(), -1);
        add_bytes(size, 1);
        // SAFETY: the caller keeps the rules of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn add_bytes(size: usize, sign: i64) {
    if COUNTS_BYTES.load(Ordering::Relaxed) {
        BYTES.fetch_add(sign * i64::try_from(size).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

/// Returns the number of allocations and reallocations of this thread during the work.
pub(crate) fn count(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

/// Begins to count the bytes that all threads allocate and do not free.
pub(crate) fn begin_bytes() {
    BYTES.store(0, Ordering::Relaxed);
    COUNTS_BYTES.store(true, Ordering::SeqCst);
}

/// Returns the bytes since [`begin_bytes`].
pub(crate) fn end_bytes() -> i64 {
    COUNTS_BYTES.store(false, Ordering::SeqCst);
    BYTES.load(Ordering::Relaxed)
}
