package trust

// Records are what agents remember of certificates on the config volume from one pass to the next.
type Records struct {
	Rotation   Rotation
	Refusals   Refusals
	RefusalsAt string // path, for messages
	Histories  Histories
	Edition    int
	Approval   Approval
	// ApprovalErr is why the approval cannot be read. Without one, a restart waits; the other work goes on.
	ApprovalErr error
	Undone      Undone
	UndoneAt    string // path, for messages
}

// LoadRecords reads the records of the own server from folder, the agent's on the config volume, and those of the truststore from
// workDir. Errors name the file to remove.
func LoadRecords(folder, workDir string) (r Records, err error) {
	r.RefusalsAt, r.UndoneAt, r.Histories = RefusalsPath(workDir), UndonePath(folder), LoadHistories(workDir)
	if r.Rotation, err = LoadRotation(folder); err != nil {
		return r, err
	}
	r.Approval, r.ApprovalErr = LoadApproval(folder)
	if r.Undone, err = LoadUndone(folder); err != nil {
		return r, err
	}
	if r.Refusals, err = LoadRefusals(workDir); err != nil {
		return r, err
	}
	r.Edition, err = Edition(workDir)
	return r, err
}
