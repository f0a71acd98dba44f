package teams

import (
	"fmt"
	"html"
	"strings"
	"time"
)

// script is a conversation that makes sense from the first line to the last. A line begins with the letter of who speaks.
type script struct {
	subject string
	lines   []string
}

// engineeringScripts are what people who build things talk about, officeScripts what everybody does.
var engineeringScripts = []script{
	{"{project}: deploy {number} is stuck", []string{
		"a The rollout of {project} has been at 40% for twenty minutes. Is anybody on it?",
		"b Looking. Two pods do not become ready, the readiness probe times out.",
		"b Found it: the new probe asks /healthz, the old image answers on /health.",
		"a Shall we roll back or fix forward?",
		"b Fix forward, it is one line. Deploying now.",
		"a Green at 100%. Thanks! Please write it down for the retrospective."}},
	{"Flaky test: TestUploadResume", []string{
		"a TestUploadResume failed {number} times this week on main. I would like to quarantine it.",
		"b Please don't, it found a real race in June.",
		"c It is the clock: the test compares wall time with a monotonic one. I have a fix.",
		"a Merged, and 500 runs without a failure. Good catch."}},
	{"", []string{
		"a Does anybody know why the staging database is read-only?",
		"b Disk at 98%. Somebody left a dump of {project} in /var/tmp.",
		"a That was me, sorry. Deleted.",
		"b Writable again."}},
	{"Design review: offline mode", []string{
		"a The document for offline mode is in the files tab. I need comments by {day}.",
		"b Read it. My only worry is the conflict rule in section 3: last writer wins loses edits.",
		"a Agreed for text. For settings it is fine, nobody merges those by hand.",
		"c Could we keep both versions and show a badge? Two of our customers asked for exactly that.",
		"a I like it. Updated section 3 accordingly."}},
	{"On-call handover", []string{
		"a Quiet week: {number} pages, all but one were the certificate alert that we know about.",
		"b And the one?",
		"a Payment webhooks were late by six minutes, the queue caught up on its own. Ticket is open.",
		"b Thanks, I have the pager."}},
	{"Upgrade to Go 1.26", []string{
		"a CI is on the new toolchain now. Builds take 12% less time.",
		"b Memory of the indexer went down too, from 610 to 540 MB.",
		"c Are the arm64 images done as well?",
		"a Since this morning, yes."}},
	{"Incident {number}: login slow in Europe", []string{
		"a 09:02 p99 of login is at 4 s in eu-west. Opening an incident.",
		"b 09:09 The token cache is cold after last night's restart.",
		"a 09:20 Warm again, p99 at 300 ms. Watching.",
		"c Customer support has the wording for the status page.",
		"a 10:00 Closed. Review on {day}, please bring the timeline."}},
	{"API: page size", []string{
		"a Can we raise the default page size of /items from 50 to 200? {project} makes four requests where one would do.",
		"b With the current serializer 200 items are 1.1 MB. Let me measure first.",
		"b Measured: 210 ms instead of 4 × 80 ms. I am for it.",
		"a Then I will send the change today."}},
}

var officeScripts = []script{
	{"Numbers for {project}", []string{
		"a I need the actuals for {project} by {day}, even if they are rough.",
		"b Travel and licences are in. Contractors are missing two invoices.",
		"a Please put an estimate in and mark it, I will not wait for those.",
		"b Done, row 42, yellow."}},
	{"Contract with Fabrikam", []string{
		"a Fabrikam sent their markup. They want 60 days instead of 30 for payment.",
		"b We can live with 45.",
		"c Legal has no problem with 45, if the late fee stays.",
		"a Offered 45 with the fee. They agreed on the phone, the paper follows."}},
	{"Who is at the office on {day}?", []string{
		"a I would book the big room for {day}. Who comes?",
		"b Me, from ten.",
		"c Remote, but I will dial in.",
		"a Booked until noon. There will be croissants 🥐"}},
	{"Launch checklist {project}", []string{
		"a Open points: translations, press release, pricing page.",
		"b Translations are done except Greek, which comes tomorrow.",
		"c The pricing page waits for the number from Finance.",
		"b It is {number}, confirmed this morning.",
		"a Then only Greek is left. Go for {day}."}},
	{"", []string{
		"a Could somebody approve my travel to Berlin? The fare goes up tonight.",
		"b Approved. Say hello to the team there!",
		"a Will do, thanks 🙏"}},
	{"Customer visit", []string{
		"a The visit of Northwind is on {day}, {number} people. Who gives the demo?",
		"b I can, if somebody sets up a clean account.",
		"c Account is ready, password comes separately.",
		"a Wonderful. Slides until the evening before, please."}},
	{"Новый план {project}", []string{
		"a Обновил план, посмотрите, пожалуйста, раздел «Сроки».",
		"b Посмотрела. Вторую неделю лучше оставить под тесты.",
		"a Согласен, поправил."}},
	{"{project}の見積もり", []string{
		"a 見積もりを更新しました。ご確認をお願いします。",
		"b ありがとうございます。3行目の単価だけ確認させてください。",
		"a 修正しました。",
		"b 確認しました、問題ありません。"}},
}

// scripted writes the n-th conversation of a list; it has somebody else as the first speaker each time.
func (f *filler) scripted(at time.Time, n int, of []script) {
	s := of[n%len(of)]
	fill := strings.NewReplacer("{project}", f.w.Project(), "{number}", fmt.Sprint(3+f.w.IntN(40)),
		"{day}", f.w.Pick([]string{"Tuesday", "Thursday", "the 15th", "Monday"}))
	members := f.chatMembers()
	var root *Message
	for i, line := range s.lines {
		speaker := members[(int(line[0]-'a')+n)%len(members)].Person
		m := &Message{Created: at, From: &Sender{Person: speaker}, HTML: true, Body: "<p>" + html.EscapeString(fill.Replace(line[2:])) + "</p>"}
		if i == 0 {
			m.Subject = fill.Replace(s.subject)
			root = m
			f.react(m)
			f.add(nil, m)
		} else {
			f.add(root, m)
		}
		at = at.Add(time.Duration(60+f.w.IntN(1500))*time.Second + time.Duration(f.w.IntN(1000))*time.Millisecond)
	}
}
