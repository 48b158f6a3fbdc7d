package artifact

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

func TestAnArtifactIsFetchedOnceAndThenNobodyIsAsked(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	first := fetchOne(t, o.fetcher(volume), o.artifact())
	assertState(t, first, Fetched)
	assertPlaced(t, volume, o.content)
	if first.Pinned || first.Found != digestOf(o.content) {
		t.Errorf("outcome = %+v", first)
	}
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), Present)
	if n := len(o.asked()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestTheFirstDigestIsPinnedAndAnotherOneRefused(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	a := o.artifact()
	a.SHA256 = ""
	first := fetchOne(t, o.fetcher(volume), a)
	assertState(t, first, Fetched)
	if !first.Pinned {
		t.Error("the digest is not told as pinned")
	}
	assertState(t, fetchOne(t, o.fetcher(volume), a), Present)

	if err := os.Remove(first.At); err != nil {
		t.Fatal(err)
	}
	o.set(func(o *origin) { o.content, o.etag = testJar(t, testClass, 2), `"2"` })
	assertFailed(t, fetchOne(t, o.fetcher(volume), a), "wrong SHA-256", first.Found, digestOf(o.content), "give it as sha256 in ARTIFACTS_FILE", "artifacts.json")

	a.SHA256 = digestOf(o.content)
	assertState(t, fetchOne(t, o.fetcher(volume), a), Fetched)
	a.SHA256 = "" // what was accepted by its digest is the pin from now on
	assertState(t, fetchOne(t, o.fetcher(volume), a), Present)
}

func TestAnotherAddressOrDigestReplacesWhatTheAgentPutThere(t *testing.T) {
	old, next := newOrigin(t, testJar(t, testClass, 1)), newOrigin(t, testJar(t, testClass, 2))
	volume := t.TempDir()
	f := old.fetcher(volume)
	f.Roots.AddCert(next.Certificate())
	for _, digest := range []string{"", digestOf(next.content)} {
		assertState(t, fetchOne(t, f, old.artifact()), Fetched)
		a := next.artifact()
		a.SHA256 = digest
		assertState(t, fetchOne(t, f, a), Fetched)
		assertPlaced(t, volume, next.content)
	}
}

// TestAKillBetweenTheRecordAndTheMoveDoesNotMakeTheOldFileSomebodyElses: the digest is remembered first.
func TestAKillBetweenTheRecordAndTheMoveDoesNotMakeTheOldFileSomebodyElses(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	old := o.content
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), Fetched)
	o.set(func(o *origin) { o.content = testJar(t, testClass, 2) })
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), Fetched)
	placeFile(t, filepath.Join(volume, testDestination), old) // as the kill would have left it
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), Fetched)
	assertPlaced(t, volume, o.content)
}

func TestAFileThatSomebodyElsePutThereIsKeptIfItWillDo(t *testing.T) {
	o := newOrigin(t, testJar(t, testClass, 1))
	byHand := testJar(t, testClass, 3)
	for _, digest := range []string{"", digestOf(o.content)} {
		volume := t.TempDir()
		placeFile(t, filepath.Join(volume, testDestination), byHand)
		a := o.artifact()
		a.SHA256 = digest
		outcome := fetchOne(t, o.fetcher(volume), a)
		assertState(t, outcome, Kept)
		if outcome.Found != digestOf(byHand) || len(o.asked()) != 0 {
			t.Errorf("found = %s after %d requests", outcome.Found, len(o.asked()))
		}
	}
	volume := t.TempDir()
	placeFile(t, filepath.Join(volume, testDestination), []byte("<html>what curl saved</html>"))
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), Fetched)
	assertPlaced(t, volume, o.content)
}

func TestAFileThatTheServersOwnImageHasIsNotFetched(t *testing.T) {
	o := newOrigin(t, testJar(t, testClass, 1))
	home := t.TempDir()
	placeFile(t, filepath.Join(home, testDestination), o.content)
	for _, volume := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing")} {
		f := o.fetcher(volume)
		f.Home = home
		if outcome := fetchOne(t, f, o.artifact()); outcome.State != Kept || !strings.HasPrefix(outcome.At, home) || len(o.asked()) != 0 {
			t.Errorf("outcome = %+v after %d requests", outcome, len(o.asked()))
		}
	}
}

func TestOtherVersionsBesideAnArtifactAreNamed(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	for _, name := range []string{"listener-0.9.jar", "listener_2.0.1.jar", "listeners-0.9.jar", "other-1.0.jar", "listener-0.9.txt"} {
		placeFile(t, filepath.Join(volume, filepath.Dir(testDestination), name), []byte("x"))
	}
	if got := strings.Join(fetchOne(t, o.fetcher(volume), o.artifact()).Others, " "); got != "listener-0.9.jar listener_2.0.1.jar" {
		t.Errorf("others = %s", got)
	}
}

func TestAFolderTakesThePlaceOfTheNetwork(t *testing.T) {
	o, volume, source := newOrigin(t, testJar(t, testClass, 1)), t.TempDir(), t.TempDir()
	f := o.fetcher(volume)
	f.SourceDir = source
	placeFile(t, filepath.Join(source, "listener-1.0.jar"), []byte("<html>"))
	assertFailed(t, fetchOne(t, f, o.artifact()), "no zip file", source)
	placeFile(t, filepath.Join(source, "listener-1.0.jar"), o.content)
	outcome := fetchOne(t, f, o.artifact())
	assertState(t, outcome, Fetched)
	assertPlaced(t, volume, o.content)
	if outcome.From != filepath.Join(source, "listener-1.0.jar") || len(o.asked()) != 0 {
		t.Errorf("from %s after %d requests", outcome.From, len(o.asked()))
	}
	f.SourceDir, f.Volume = t.TempDir(), t.TempDir() // a folder without the file
	assertState(t, fetchOne(t, f, o.artifact()), Fetched)
	if len(o.asked()) != 1 {
		t.Error("the network was not asked for what the folder lacks")
	}
}

func TestAnArtifactFromAFileFollowsIt(t *testing.T) {
	volume, source := t.TempDir(), filepath.Join(t.TempDir(), "driver.jar")
	f := Fetcher{Volume: volume, Log: slog.New(slog.DiscardHandler)}
	a := Artifact{File: source, Destination: testDestination, Contains: testClass}
	assertFailed(t, fetchOne(t, f, a), "read the artifact for", source)
	for _, seed := range []uint64{1, 2} {
		content := testJar(t, testClass, seed)
		placeFile(t, source, content)
		assertState(t, fetchOne(t, f, a), Fetched)
		assertPlaced(t, volume, content)
		assertState(t, fetchOne(t, f, a), Present)
	}
	a.SHA256 = strings.Repeat("0", 64)
	if o := fetchOne(t, f, a); o.State != Failed {
		t.Errorf("a file with another digest than the list's: %s", o.State)
	}
	assertPlaced(t, volume, testJar(t, testClass, 2))
}

// assertHint checks that an artifact has failed with an error whose remedy, and not its text, has the part.
func assertHint(t *testing.T, o Outcome, part string) {
	t.Helper()
	assertState(t, o, Failed)
	text, remedies := remedy.Split(o.Err)
	if strings.Contains(text, part) || !strings.Contains(strings.Join(remedies, "; "), part) {
		t.Errorf("text %q, remedies %q; want %q in a remedy", text, remedies, part)
	}
}

func TestAFileThatCannotBeReadOrHasAnotherDigestHasAHint(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	a := o.artifact()
	if err := os.MkdirAll(filepath.Join(volume, a.Destination), 0o755); err != nil { // a folder in the artifact's place
		t.Fatal(err)
	}
	assertHint(t, fetchOne(t, o.fetcher(volume), a), "make it readable for the server, or remove it")
	listed := a
	listed.SHA256 = strings.Repeat("0", 64)
	assertHint(t, fetchOne(t, o.fetcher(t.TempDir()), listed), "correct its sha256")

	pinned := t.TempDir()
	a.SHA256 = "" // the first fetch pins the digest
	assertState(t, fetchOne(t, o.fetcher(pinned), a), Fetched)
	if err := os.Remove(filepath.Join(pinned, a.Destination)); err != nil {
		t.Fatal(err)
	}
	o.content = testJar(t, testClass, 2)
	assertHint(t, fetchOne(t, o.fetcher(pinned), a), "ask the maker of the file")
}

func TestAnUnusableVolumeFailsEveryArtifactWithoutARequest(t *testing.T) {
	o := newOrigin(t, testJar(t, testClass, 1))
	dir := t.TempDir()
	placeFile(t, filepath.Join(dir, "blocked", "repository"), nil) // a file where a folder must be made
	placeFile(t, filepath.Join(dir, "broken", file.WorkDir, "artifacts.json"), []byte("{"))
	for volume, hint := range map[string]string{"missing": "mount one there, or set ARTIFACT_DIR", "blocked": "make it belong to the user", "broken": "then records new digests"} {
		second := o.artifact()
		second.Destination = "repository/components/lib/listener-1.0.jar"
		outcomes := o.fetcher(filepath.Join(dir, volume)).Fetch(t.Context(), []Artifact{o.artifact(), second})
		for _, outcome := range outcomes {
			assertHint(t, outcome, hint)
		}
		if len(outcomes) != 2 || len(o.asked()) != 0 {
			t.Errorf("%d outcomes, %d requests", len(outcomes), len(o.asked()))
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "missing")); err == nil {
		t.Error("a folder was made where no volume is")
	}
}

func TestAFailedArtifactStopsNoOther(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	bad := o.artifact()
	bad.Destination, bad.SHA256 = "repository/components/lib/bad.jar", strings.Repeat("0", 64)
	outcomes := o.fetcher(volume).Fetch(t.Context(), []Artifact{bad, o.artifact()})
	assertState(t, outcomes[0], Failed)
	assertState(t, outcomes[1], Fetched)
}

func TestAFetchEndsWithItsContext(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	o.answer = func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		cancel()
		<-r.Context().Done()
		return true
	}
	outcomes := o.fetcher(volume).Fetch(ctx, []Artifact{o.artifact()})
	assertFailed(t, outcomes[0], "context canceled")
}
