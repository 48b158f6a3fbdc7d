package rotation

// identity brings the TLS identity up to date. It issues one that is due, takes a successor, or reads it from files, and stages it.
// It installs it at once if no server can present it to a peer that would refuse it. If the agent cannot obtain an identity, a
// server that has none does not start. A server that has one keeps it.
func (p *pass) identity() {
	t := p.s.TLS
	p.d.Trouble = p.s.Memory.Trouble
	switch {
	case p.s.Settings.TLSMode == "none":
		p.condition(IdentityCondition, true, "TLS_MODE is none: the server presents the certificate of its own keystore")
		return
	case t.Refused != "":
		p.log(Warn, "TLS_MODE", "TLS_MODE has no effect on this server", "TLS_MODE", p.s.Settings.TLSMode, "because", t.Refused)
		p.condition(IdentityCondition, true, "TLS_MODE has no effect on this server: "+t.Refused)
		return
	}
	if t.Counts(p.s.Own.Certificates) {
		p.installed = t.Installed
	}
	if p.staged = t.Staged; same(p.installed, p.staged) {
		p.staged = nil
	}
	if record := p.s.Records.Rotation; t.Stolen && !record.Hurry { // first: the request is gone when the agent has answered it
		record.Hurry = true
		p.then(SaveRotation{record})
		return
	}
	p.reportPoolTrouble()
	p.dropSuccessors()
	if p.d.Again {
		return
	}
	switch {
	case p.d.Trouble != nil: // in this round already
	case t.Err != nil:
		p.d.Trouble = t.Err
	case p.s.Settings.TLSMode == "files":
		p.fromFiles(t.Files)
	default:
		p.issued()
	}
	if !p.d.Again {
		p.fillPool()
	}
	if p.d.Trouble != nil && !(p.installed != nil || p.s.Server.Runs && !t.Named) {
		p.d.Err, p.d.Trouble = p.d.Trouble, nil
		return
	}
	if p.d.Again { // how it stands shows when that is done
		return
	}
	p.reportIdentity()
	if p.mayInstall() {
		p.then(Install{})
	}
}

// Counts reports whether the installed identity counts: a start of the server presents it, or is about to. A keystore that
// deployment.toml does not name, and that peers were not told of, was left there by an earlier TLS_MODE.
func (t TLS) Counts(published []Certificate) bool {
	i := t.Installed
	return i != nil && (t.Named || same(i, t.Staged) || contains(published, i.Leaf.Fingerprint))
}

// fromFiles stages the identity of TLS_FILES_DIR unless it is installed or staged. If only its chain of issuers differs from the
// installed one, nobody has to trust anything first.
func (p *pass) fromFiles(next *Identity) {
	if len(next.Missing) > 0 {
		p.log(Warn, "names", "the certificate lacks the server's name: peers that verify it will refuse it", "missing", next.Missing, "folder", p.s.TLS.Folder)
	}
	switch {
	case same(p.installed, next):
		if p.installed.Chain != next.Chain {
			p.then(CompleteChain{})
			p.log(Info, "", "the chain of the server's certificate has changed; the server presents the new chain from its next start on", "server", p.s.Settings.Server)
		}
		p.staged = nil
	case !same(p.staged, next) || p.staged.Chain != next.Chain:
		p.then(Stage{})
	}
}

// issued makes a new identity due if there is none, if somebody asks for one, or if the latest one is stale.
func (p *pass) issued() {
	reason := ""
	switch {
	case p.s.TLS.Asked:
		reason = "somebody requested another one"
	case p.staged != nil && p.staged.Stale == "":
		return
	case p.installed != nil && p.installed.Stale == "": // the settings are again those that the installed one was made for
		p.staged = nil
		return
	case p.installed != nil:
		reason = "the previous certificate " + p.installed.Stale
	}
	if p.installed == nil {
		reason = "there is none yet"
	}
	if p.s.Memory.Issued {
		return
	}
	p.d.Memory.Issued = true
	if next := p.successor(); next != nil && !p.s.TLS.Stolen {
		p.then(StageSuccessor{next.Leaf.Fingerprint, reason})
		return
	}
	p.then(Issue{reason})
}

func (p *pass) reportIdentity() {
	switch t := p.d.Trouble; {
	case t != nil:
		p.remark(Error, "identity", "trouble", "the server keeps the TLS certificate that it has", "error", t)
		p.condition(IdentityCondition, false, t.Error())
	default:
		p.condition(IdentityCondition, true, "the server's certificate is as TLS_MODE says")
	}
}

// mayInstall reports whether the staged identity can be installed at once: the server is down, and no peer that runs would refuse
// it, or a start would find none at all.
func (p *pass) mayInstall() bool {
	runs := p.s.Server.Runs
	switch {
	case p.staged == nil:
		return false
	case p.installed == nil:
		return !runs || p.s.TLS.Named
	}
	return !runs && p.trustedByPeers(p.staged.Leaf, p.staged.Issuer)
}

// replaced looks after the keystore that the agent has put aside because the server had to restart before its peers trusted it.
func (p *pass) replaced() {
	k := p.s.Keystore
	switch {
	case k.Path == "" || k.Next == nil && k.NextErr == nil:
	case k.NextErr != nil:
		p.log(Warn, "next keystore", "the keystore that waits for the switch cannot be opened with the server's settings; put the right one in place again", "file", k.NextAt, "keystore", k.Path, "error", k.NextErr)
	case k.Err != nil && k.IsBack: // the settings are for the one that waits
		p.then(InstallReplaced{})
		return
	case k.Err != nil: // somebody is replacing it, or has put another one in place
	case k.Own.Fingerprint == k.Next.Fingerprint:
		p.do(DropReplaced{})
	case k.Served == nil || k.Served.Fingerprint != k.Own.Fingerprint:
		p.log(Info, "", "somebody has put another keystore in place, which takes the place of the one that waits for the switch",
			"keystore", k.Path, "fingerprint", k.Own.Fingerprint, "instead of", k.Next.Fingerprint)
		p.do(DropReplaced{})
	case !p.s.Server.Runs && p.trustedByPeers(*k.Next, ""):
		p.then(InstallReplaced{})
		return
	default:
		p.waits = k.Next
	}
	if k.Err != nil {
		p.d.Err = k.Err
	}
}

// stagedLeaf is the certificate that waits for the switch in the agent's folder, where no start of the server finds it: that of a
// keystore that somebody has put in place, or else the one of TLS_MODE; nil for none.
func (p *pass) stagedLeaf() *Certificate {
	switch {
	case p.waits != nil:
		return p.waits
	case p.staged != nil:
		return &p.staged.Leaf
	}
	return nil
}
