//! Two link arguments of the shared library that Cargo has no setting for. Nothing is generated here.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");

    // Programs record this name, not the file's: it says which ABI they were linked against. The number is
    // LB_ABI_VERSION of the header.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,liblb_backup.so.0");

    // A dlclose must not unmap the library. Threads that have called it carry thread-local destructors that point into
    // its code, and its own threads run that code: call, dlclose, end of the thread would otherwise crash the host.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
