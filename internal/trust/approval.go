package trust

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// Approval is what a person has said about a restart of the server. The zero value says nothing.
type Approval struct {
	Generation string    `json:"generation"` // that the restart is for; another restart needs another approval
	Answer     Answer    `json:"answer"`
	At         time.Time `json:"at"`
}

// Answer is what a person has said about a restart.
type Answer string

// The answers.
const (
	NoAnswer Answer = ""
	Approved Answer = "approved" // the server restarts in the next maintenance window
	Now      Answer = "now"      // it waits for no window
	Denied   Answer = "denied"
)

// approvalFile is where the last approval is kept, in the agent's folder on the config volume.
const approvalFile = "approval.json"

// LoadApproval reads the last approval in workDir; the zero value if there is none.
func LoadApproval(workDir string) (v Approval, err error) {
	path := filepath.Join(workDir, approvalFile)
	v, _, err = file.LoadJSON[Approval](path, exchangeLimit)
	if err == nil && !slices.Contains([]Answer{NoAnswer, Approved, Now, Denied}, v.Answer) {
		err = fmt.Errorf("the answer is %q: want %s, %s or %s", v.Answer, Approved, Now, Denied)
	}
	if err != nil {
		return Approval{}, remedy.Add(fmt.Errorf("read what a person has said about a restart: %w", err), "remove %s, and say it again with agent restart", path)
	}
	return v, nil
}

// Save keeps the approval in workDir, where the agent next to the server finds it.
func (v Approval) Save(workDir string) error {
	if _, err := file.SaveJSON(filepath.Join(workDir, approvalFile), v, 0o644, workDir); err != nil {
		return fmt.Errorf("tell the agent about a restart: %w", err)
	}
	return nil
}
