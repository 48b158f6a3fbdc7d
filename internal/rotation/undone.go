package rotation

import (
	"slices"

	"wso2agent/internal/trust"
)

// Statement returns the fingerprints of all that the agent believes of a peer's certificates and successors, sorted, without
// duplicates.
func (peer Peer) Statement() []string {
	all := fingerprints(slices.Concat(peer.Certificates, peer.Successors))
	slices.Sort(all)
	return slices.Compact(all)
}

// states reports whether a peer still states exactly what a person has undone, as far as that can be read.
func (peer Peer) states(undone []string) bool {
	now := peer.Statement()
	if len(peer.Certificates) > 0 && peer.SuccessorsErr == nil {
		return slices.Equal(now, undone)
	}
	return !slices.ContainsFunc(now, func(f string) bool { return !slices.Contains(undone, f) })
}

// leaveUndone removes the peers whose statement a person has undone, so that they count as peers that have published nothing. It
// returns their names. The next pass would import again what was undone otherwise. Another statement ends that.
func (p *pass) leaveUndone() (names []string) {
	s := p.s
	kept := trust.Undone{}
	for _, name := range s.Settings.Peers {
		undone, is := s.Records.Undone[name]
		switch {
		case !is:
		case s.Peers[name].states(undone):
			kept[name] = undone
			names = append(names, name)
			delete(p.peers, name)
		default:
			p.log(Info, "", "a peer has published other certificates since a person has undone its former ones: the agent imports them again", "peer", name)
		}
	}
	if !sameLists(kept, s.Records.Undone) {
		p.do(SaveUndone{kept})
	}
	return names
}
