package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// editionFile counts the agent's additions to the truststore.
const editionFile = "edition"

// Edition numbers the writes of the agent that a running server has to be restarted for, beside those of its settings and its
// own certificate: each in which something became trusted that was not, in the truststore that keeps its working files in
// workDir, and each artifact that came late. It is 0 before the first. A write that only removes, or changes an alias, does not
// count: a running server need not read it.
//
// It is a part of the generation, because the same content can come back: somebody restores the volume, the server starts
// without the peers, and the agent imports them again. By content alone nothing would have changed since the first time,
// and the server would never be restarted.
func Edition(workDir string) (int, error) {
	path := filepath.Join(workDir, editionFile)
	data, err := file.Read(path, 64)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, remedy.Add(fmt.Errorf("%s holds no number", path), "remove it, which costs one restart of the server")
	}
	return n, nil
}

// RaiseEdition is called before a write, or after one that is noted elsewhere until then, so that a kill in between costs a
// restart too many and never one too few. Nobody else may do so at the same time.
func RaiseEdition(workDir string) error {
	n, err := Edition(workDir)
	if err != nil {
		return err
	}
	_, err = file.Write(filepath.Join(workDir, editionFile), []byte(strconv.Itoa(n+1)+"\n"), 0o600, workDir)
	return err
}
