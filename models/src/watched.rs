//! What loom watches, in the shape that parking_lot and std have. No wait times out.

use std::ops::{Deref, DerefMut};
use std::time::Instant;

pub use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, fence};
pub use std::sync::atomic::Ordering;

#[derive(Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

/// None only while its thread waits.
pub struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Mutex<T> {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(self.0.lock().ok())
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("it does not wait")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("it does not wait")
    }
}

#[derive(Default)]
pub struct Condvar(loom::sync::Condvar);

pub struct WaitTimeoutResult;

impl WaitTimeoutResult {
    pub fn timed_out(&self) -> bool {
        false
    }
}

impl Condvar {
    pub fn new() -> Condvar {
        Condvar::default()
    }

    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect("it does not wait");
        guard.0 = self.0.wait(held).ok();
    }

    pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _deadline: Instant) -> WaitTimeoutResult {
        self.wait(guard);
        WaitTimeoutResult
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// With std's rules: the last reference sees what the others did, and to read the count orders nothing. (loom's has no
/// weak references.)
pub struct Arc<T>(std::sync::Arc<Counted<T>>);

struct Counted<T> {
    strong: AtomicUsize,
    value: T,
}

pub struct Weak<T>(std::sync::Arc<Counted<T>>);

impl<T> Arc<T> {
    pub fn new(value: T) -> Arc<T> {
        Arc(std::sync::Arc::new(Counted { strong: AtomicUsize::new(1), value }))
    }

    pub fn as_ptr(this: &Arc<T>) -> *const T {
        &raw const this.0.value
    }

    pub fn ptr_eq(this: &Arc<T>, other: &Arc<T>) -> bool {
        std::sync::Arc::ptr_eq(&this.0, &other.0)
    }

    pub fn downgrade(this: &Arc<T>) -> Weak<T> {
        Weak(std::sync::Arc::clone(&this.0))
    }
}

impl<T> Weak<T> {
    pub fn strong_count(&self) -> usize {
        self.0.strong.load(Ordering::Relaxed)
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Arc<T> {
        self.0.strong.fetch_add(1, Ordering::Relaxed);
        Arc(std::sync::Arc::clone(&self.0))
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        // A model that has failed is being unwound, and its threads are no longer loom's.
        if !std::thread::panicking() && self.0.strong.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
        }
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}
