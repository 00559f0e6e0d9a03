package lb

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// What C says of each field, in the order of the structure: offset and size.
func TestLayoutIsThatOfTheHeader(t *testing.T) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("there is no C compiler (cc): the layouts were not compared with lb_backup.h")
	}
	var program, want strings.Builder
	program.WriteString("#include <lb_backup.h>\n#include <stdio.h>\nint main(void) {\n")
	for name, structure := range map[string]any{
		"lb_error": nativeError{}, "lb_progress": nativeProgress{}, "lb_result": nativeResult{},
		"lb_backup_options": nativeBackupOptions{}, "lb_restore_options": nativeRestoreOptions{},
		"lb_verify_options": nativeVerifyOptions{}, "lb_archive_info": nativeArchiveInfo{},
		"lb_job_info": nativeJobInfo{}, "lb_config": nativeConfig{},
	} {
		of := reflect.TypeOf(structure)
		fmt.Fprintf(&program, "printf(\"%s %%zu\\n\", sizeof(%s));\n", name, name)
		fmt.Fprintf(&want, "%s %d\n", name, of.Size())
		for i := 0; i < of.NumField(); i++ {
			field := of.Field(i)
			in := snake(field.Name)
			fmt.Fprintf(&program, "printf(\"%s.%s %%zu %%zu\\n\", offsetof(%s, %s), sizeof ((%s *)0)->%s);\n",
				name, in, name, in, name, in)
			fmt.Fprintf(&want, "%s.%s %d %d\n", name, in, field.Offset, field.Type.Size())
		}
	}
	for name, value := range map[string]uint64{
		"LB_ABI_VERSION": abiVersion, "LB_MESSAGE_SIZE": messageSize, "LB_NO_CHUNK": noChunk,
		"LB_FORMAT_ZSTD": uint64(FormatZstd), "LB_VERIFY_FULL": uint64(VerifyFull), "LB_VERIFY_NONE": uint64(VerifyNone),
		"LB_EXISTING_REPLACE": 1, "LB_DIGEST_NONE": 1, "LB_KIND_GZIP": uint64(KindGzip),
		"LB_CHECK_FOREIGN_KEYS": uint64(CheckForeignKeys), "LB_JOB_STATE_CANCELLED": uint64(Cancelled),
		"LB_PHASE_DONE": uint64(PhaseDone), "LB_PRIORITY_NORMAL": uint64(PriorityNormal), "LB_LOG_INFO": uint64(LogInfo),
		"LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS": 1, "LB_STATUS_INTERNAL": uint64(ErrInternal),
	} {
		fmt.Fprintf(&program, "printf(\"%s %%llu\\n\", (unsigned long long)%s);\n", name, name)
		fmt.Fprintf(&want, "%s %d\n", name, value)
	}
	program.WriteString("}\n")
	directory := t.TempDir()
	source, binary := filepath.Join(directory, "layout.c"), filepath.Join(directory, "layout")
	if err := os.WriteFile(source, []byte(program.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(compiler, "-I../../include", source, "-o", binary).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	got, err := exec.Command(binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want.String() {
		t.Errorf("in C:\n%s\nhere:\n%s", got, want.String())
	}
}

func snake(name string) string {
	var out strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

func TestNumbersHaveTheHeadersNames(t *testing.T) {
	header, err := os.ReadFile("../../include/lb_backup.h")
	if err != nil {
		t.Fatal(err)
	}
	for kind, says := range map[string]func(uint32) string{
		"FORMAT":    func(n uint32) string { return Format(n).String() },
		"KIND":      func(n uint32) string { return Kind(n).String() },
		"CHECK":     func(n uint32) string { return Check(n).String() },
		"JOB_STATE": func(n uint32) string { return State(n).String() },
		"PHASE":     func(n uint32) string { return Phase(n).String() },
	} {
		found := regexp.MustCompile(`\bLB_`+kind+`_(\w+)(?: =)? (\d+)\b`).FindAllSubmatch(header, -1)
		if len(found) < 3 {
			t.Errorf("LB_%s_: %d", kind, len(found))
		}
		highest := uint64(0)
		for _, one := range found {
			number, err := strconv.ParseUint(string(one[2]), 10, 32)
			want := strings.ToLower(strings.ReplaceAll(string(one[1]), "_", " "))
			if said := says(uint32(number)); err != nil || said != want {
				t.Errorf("LB_%s_%s is %q", kind, one[1], said)
			}
			highest = max(highest, number)
		}
		next := uint32(highest) + 1
		if said := says(next); said != fmt.Sprintf("unknown %d", next) {
			t.Errorf("LB_%s_: %d is %q", kind, next, said)
		}
	}
	if said := fmt.Sprint(Kind(0), State(1<<31), Succeeded); said != "unknown 0 unknown 2147483648 succeeded" {
		t.Errorf("%q", said)
	}
}

// An older library's result ends before the check that failed.
func TestNoChunkHasFailedWhereNoCheckHas(t *testing.T) {
	if result := toResult(&nativeResult{status: ErrBusy}); result.FailedChunk != -1 {
		t.Errorf("%d", result.FailedChunk)
	}
}

// The library has a message of its own for each status, and no status more or less than here.
func TestStatusesAreThoseOfTheLibrary(t *testing.T) {
	native, err := open("")
	if err != nil {
		t.Fatal(err)
	}
	const unknown = "unknown status"
	for status := range statuses {
		if message := native.message(Status(status)); message == unknown {
			t.Errorf("the library does not know status %d", status)
		}
	}
	if message := native.message(Status(len(statuses))); message != unknown {
		t.Errorf("%s is missing here", message)
	}
}
