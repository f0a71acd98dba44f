package render

import (
	"strings"
)

// eventDetail is the union of the fields of the eventMessageDetail types that make sentences.
type eventDetail struct {
	Type                     string      `json:"@odata.type"`
	Initiator                identitySet `json:"initiator"`
	Members                  []identity  `json:"members"`
	Member                   *identity   `json:"conversationMemberUser"`
	Roles                    []string    `json:"conversationMemberRoles"`
	ChannelDisplayName       string      `json:"channelDisplayName"`
	ChannelDescription       string      `json:"channelDescription"`
	ChatDisplayName          string      `json:"chatDisplayName"`
	TeamDisplayName          string      `json:"teamDisplayName"`
	TeamDescription          string      `json:"teamDescription"`
	TeamsAppDisplayName      string      `json:"teamsAppDisplayName"`
	CallDuration             string      `json:"callDuration"`
	CallEventType            string      `json:"callEventType"`
	CallRecordingDisplayName string      `json:"callRecordingDisplayName"`
	CallRecordingURL         string      `json:"callRecordingUrl"`
	CallRecordingStatus      string      `json:"callRecordingStatus"`
}

// kind gives the type without its decoration: "membersAdded". Only letters count, it goes into file names.
func (e eventDetail) kind() string {
	s := strings.TrimPrefix(e.Type, "#microsoft.graph.")
	s = strings.TrimSuffix(strings.TrimSuffix(s, "EventMessageDetail"), "MessageDetail")
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, s)
	return s[:min(len(s), 60)]
}

// words tells the event in a sentence.
func (e eventDetail) words(o ChatOptions) string {
	who := o.name(e.Initiator.first())
	if who == "" {
		who = "Someone"
	}
	var people []string
	for i := range e.Members {
		if n := o.name(&e.Members[i]); n != "" {
			people = append(people, n)
		}
	}
	members := strings.Join(people, ", ")
	if members == "" {
		members = "someone"
	}
	call := "call"
	if e.CallEventType == "meeting" {
		call = "meeting"
	}
	sentence := func(words string, of ...string) string {
		for _, s := range of {
			if s = oneLine(s); s != "" {
				words += ": " + s
			}
		}
		return words
	}
	switch e.kind() {
	case "callStarted":
		return who + " started a " + call + "."
	case "callEnded":
		return sentence("The "+call+" ended", e.CallDuration)
	case "callRecording":
		return sentence("Recording", e.CallRecordingStatus, e.CallRecordingDisplayName, linkTarget(e.CallRecordingURL))
	case "callTranscript":
		return "A transcript of the call is available."
	case "channelAdded":
		return sentence(who+" added a channel", e.ChannelDisplayName)
	case "channelDeleted":
		return sentence(who+" deleted a channel", e.ChannelDisplayName)
	case "channelRenamed":
		return sentence(who+" renamed the channel", e.ChannelDisplayName)
	case "channelDescriptionUpdated":
		return sentence(who+" changed the channel's description", e.ChannelDescription)
	case "channelSetAsFavoriteByDefault":
		return sentence(who+" set the channel as a favourite by default", e.ChannelDisplayName)
	case "channelUnsetAsFavoriteByDefault":
		return sentence(who+" no longer has the channel as a favourite by default", e.ChannelDisplayName)
	case "channelSharingUpdated":
		return sentence(who+" changed with whom the channel is shared", e.ChannelDisplayName)
	case "chatRenamed":
		return sentence(who+" renamed the chat", e.ChatDisplayName)
	case "conversationMemberRoleUpdated":
		role := strings.Join(e.Roles, ", ")
		if role == "" {
			role = "member"
		}
		return oneLine(who + " made " + o.name(e.Member) + " " + role + ".")
	case "meetingPolicyUpdated":
		return who + " changed the meeting's chat settings."
	case "membersAdded":
		return who + " added " + members + "."
	case "membersDeleted":
		return who + " removed " + members + "."
	case "membersJoined":
		return members + " joined."
	case "membersLeft":
		return members + " left."
	case "messagePinned":
		return who + " pinned a message."
	case "messageUnpinned":
		return who + " unpinned a message."
	case "tabUpdated":
		return who + " changed a tab."
	case "teamArchived":
		return who + " archived the team."
	case "teamUnarchived":
		return who + " unarchived the team."
	case "teamCreated":
		return sentence(who+" created the team", e.TeamDisplayName)
	case "teamDescriptionUpdated":
		return sentence(who+" changed the team's description", e.TeamDescription)
	case "teamJoiningEnabled":
		return who + " let people join the team by a code."
	case "teamJoiningDisabled":
		return who + " no longer lets people join the team by a code."
	case "teamRenamed":
		return sentence(who+" renamed the team", e.TeamDisplayName)
	case "teamsAppInstalled":
		return sentence(who+" added an app", e.TeamsAppDisplayName)
	case "teamsAppRemoved":
		return sentence(who+" removed an app", e.TeamsAppDisplayName)
	case "teamsAppUpgraded":
		return sentence(who+" upgraded an app", e.TeamsAppDisplayName)
	case "":
		return "A system message without details."
	}
	return "System message: " + e.kind()
}
