//! What the shared library promises as a file, whoever loads it: its name, its exports, what it needs.

use goblin::elf::dynamic::DF_1_NODELETE;
use goblin::elf::sym::{STB_LOCAL, STV_DEFAULT, STV_PROTECTED, Sym};
use goblin::elf::{Elf, section_header::SHN_UNDEF};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn committed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The library that cargo built with this test: beside it in `deps`. `cargo build` alone puts a second name to the same
/// file one folder up, which may be older.
fn library() -> Vec<u8> {
    let test = std::env::current_exe().expect("the path of this test");
    let folders = test.ancestors().skip(1).take(2);
    let candidates: Vec<PathBuf> = folders.map(|folder| folder.join("liblb_backup.so")).collect();
    let path = candidates.iter().find(|path| path.exists());
    let path = path.unwrap_or_else(|| panic!("none of {candidates:?} exists"));
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names in the dynamic symbol table for which `wanted` holds.
fn dynamic_symbols(elf: &Elf, wanted: impl Fn(&Sym) -> bool) -> BTreeSet<String> {
    let symbols = elf.dynsyms.iter().filter(|symbol| wanted(symbol));
    let names = symbols.filter_map(|symbol| elf.dynstrtab.get_at(symbol.st_name));
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn is_exported(symbol: &Sym) -> bool {
    symbol.st_shndx != SHN_UNDEF as usize
        && symbol.st_bind() != STB_LOCAL
        && matches!(symbol.st_visibility(), STV_DEFAULT | STV_PROTECTED)
}

fn without_comments_and_directives(header: &str) -> String {
    let mut text = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        text.push_str(before);
        rest = comment.split_once("*/").expect("a comment that ends").1;
    }
    text.push_str(rest);
    text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// The functions that a C header declares. Enough of C for what cbindgen writes: a declaration ends with `;`, a type has
/// braces or begins with `typedef`.
fn declared_functions(header: &str) -> BTreeSet<String> {
    let text = without_comments_and_directives(header);
    let declarations = text.split([';', '{', '}']).map(str::trim).filter(|text| !text.starts_with("typedef"));
    let heads = declarations.filter_map(|declaration| declaration.split_once('(')).map(|(head, _)| head);
    heads.filter_map(|head| head.trim_end().split([' ', '*', '\n']).next_back()).map(str::to_owned).collect()
}

/// The value of `#define NAME value`.
fn defined(header: &str, name: &str) -> String {
    let line = header.lines().find_map(|line| line.strip_prefix(&format!("#define {name} ")));
    line.unwrap_or_else(|| panic!("the header does not define {name}")).trim().to_owned()
}

#[test]
fn exports_are_exactly_the_functions_of_the_header() {
    let bytes = library();
    let elf = Elf::parse(&bytes).expect("an ELF file");
    let exported = dynamic_symbols(&elf, is_exported);
    let declared = declared_functions(&committed("include/lb_backup.h"));
    assert!(declared.contains("lb_backup_start") && declared.contains("lb_version"), "not understood: {declared:?}");

    let missing: Vec<_> = declared.difference(&exported).collect();
    let undeclared: Vec<_> = exported.difference(&declared).collect();
    assert!(missing.is_empty(), "declared in the header, not exported by the library: {missing:?}");
    assert!(undeclared.is_empty(), "exported by the library, not declared in the header: {undeclared:?}");
}

#[test]
fn soname_carries_the_abi_version_of_the_header() {
    let bytes = library();
    let elf = Elf::parse(&bytes).expect("an ELF file");
    let version = defined(&committed("include/lb_backup.h"), "LB_ABI_VERSION");
    assert_eq!(elf.soname, Some(format!("liblb_backup.so.{version}").as_str()));
    assert_eq!(elf.soname, Some("liblb_backup.so.0"));
}

#[test]
fn dlclose_never_unmaps_the_library() {
    let bytes = library();
    let elf = Elf::parse(&bytes).expect("an ELF file");
    let flags = elf.dynamic.expect("a dynamic section").info.flags_1;
    assert_ne!(flags & DF_1_NODELETE, 0, "flags_1 is {flags:#x}");
}

#[test]
fn needs_only_the_c_library_at_run_time() {
    let bytes = library();
    let elf = Elf::parse(&bytes).expect("an ELF file");
    let system = ["libc.so.", "libm.so.", "libdl.so.", "libpthread.so.", "librt.so.", "libgcc_s.so.", "ld-linux-"];
    for needed in &elf.libraries {
        assert!(system.iter().any(|name| needed.starts_with(name)), "the library needs {needed}");
    }
}

/// A database could ask it to. dlsym is std's, for functions that an older C library does not have.
#[test]
fn sqlite_inside_cannot_load_code() {
    let bytes = library();
    let elf = Elf::parse(&bytes).expect("an ELF file");
    let needed = dynamic_symbols(&elf, |_| true);
    assert!(needed.contains("openat64") || needed.contains("openat"), "not understood: {needed:?}");
    assert!(!needed.contains("dlopen"), "was .cargo/config.toml read?");
}

/// A name in the dynamic symbol table may be bound to the host's own SQLite or Zstandard, which are other versions.
#[test]
fn sqlite_and_zstd_inside_are_out_of_the_hosts_reach() {
    let bytes = library();
    let elf = Elf::parse(&bytes).expect("an ELF file");
    let foreign = dynamic_symbols(&elf, |_| true);
    let foreign: Vec<_> =
        foreign.iter().filter(|name| name.starts_with("sqlite3") || name.starts_with("ZSTD_")).collect();
    assert!(foreign.is_empty(), "visible to the dynamic linker: {foreign:?}");
}

#[test]
fn versions_agree_in_cargo_cmake_pkg_config_and_the_wrapper() {
    let cmake = committed("CMakeLists.txt");
    let version = env!("CARGO_PKG_VERSION");
    assert!(cmake.contains(&format!("project(lb_backup VERSION {version} ")), "CMakeLists.txt is not {version}");
    let abi = defined(&committed("include/lb_backup.h"), "LB_ABI_VERSION");
    assert!(cmake.contains(&format!("set(LB_BACKUP_ABI_VERSION {abi})")), "CMakeLists.txt has another ABI version");
    assert!(
        committed("cmake/lb_backup.pc.in").lines().any(|line| line == "Version: @PROJECT_VERSION@"),
        "lb_backup.pc does not take its version from CMake"
    );
    let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    for header in ["include/lb_backup.hpp", "include/lb_backup_asio.hpp"] {
        let namespace = format!("inline namespace v{major}_{minor} {{");
        assert!(committed(header).contains(&namespace), "{header} is of another version");
    }
    let wrapper = committed("include/lb_backup.hpp");
    let functions = wrapper.matches("lb_hpp_v").count();
    assert_eq!(wrapper.matches(&format!("lb_hpp_v{major}_{minor}_")).count(), functions, "as are its C functions");
}

/// Identifiers in a text.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect()
}

/// The fields of a C header's structures, whichever they are of.
fn declared_fields(header: &str) -> BTreeSet<String> {
    let text = without_comments_and_directives(header);
    let bodies = text.split("typedef struct").skip(1).filter_map(|rest| rest.split_once('{')?.1.split_once('}'));
    let fields = bodies.flat_map(|(body, _)| body.split(';')).filter_map(|field| {
        let name = field.split('[').next()?.trim_end();
        name.rsplit([' ', '*']).next()
    });
    fields.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// What is added to the C interface is of use to C++ as well. Told by its name alone: of two fields of one name, the second
/// is not missed.
#[test]
fn whatever_the_c_header_has_is_used_by_the_wrapper() {
    // What C++ says in another way, or needs from C alone.
    let unused = BTreeSet::from([
        "LB_ABI_VERSION",
        "LB_BACKUP_H",
        "LB_MESSAGE_SIZE",
        "lb_abi_version",
        "lb_status_name",
        "reserved",
    ]);
    let header = committed("include/lb_backup.h");
    let wrapper = committed("include/lb_backup.hpp");
    let code: Vec<&str> = wrapper.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let used = words(&code);

    let mut offered = declared_functions(&header);
    offered.extend(declared_fields(&header));
    offered.extend(
        words(&without_comments_and_directives(&header))
            .iter()
            .map(|word| word.to_string())
            .filter(|name| is_constant(name)),
    );
    let defines = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split(' ').next());
    offered.extend(defines.map(str::to_owned).filter(|name| is_constant(name)));
    for sure in ["lb_backup_start", "wal_limit_bytes", "failed_page", "LB_STATUS_INTERNAL", "LB_LOG_WARNING"] {
        assert!(offered.contains(sure), "{sure} is not seen in the header: {offered:?}");
    }
    let missing: Vec<_> = offered.iter().map(String::as_str).filter(|name| !used.contains(name)).collect();
    let missing: Vec<_> = missing.into_iter().filter(|name| !unused.contains(name)).collect();
    assert!(missing.is_empty(), "in lb_backup.h, but not in lb_backup.hpp: {missing:?}");
}

fn is_constant(name: &str) -> bool {
    name.starts_with("LB_")
}

#[test]
fn the_header_scan_understands_c() {
    let header = "#define F(x) g(x)\n/* int no(void); */\ntypedef void (*fn)(int a);\ntypedef struct s {\n int a;\n} s;\n\
                  #ifdef __cplusplus\nextern \"C\" {\n#endif\nint one(const char *a,\n        int b);\nconst char *two(void);\n}\n";
    let found: Vec<String> = declared_functions(header).into_iter().collect();
    assert_eq!(found, ["one", "two"]);
}
