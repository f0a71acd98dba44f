package company

var projects = []string{"Orion", "Bluebird", "Kestrel", "Ósmosis", "Полёт", "さくら", "Ithaca", "Marble", "Halcyon", "Zephyr"}

var days = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "next week", "the 15th", "month's end"}

var things = []string{
	"budget", "contract", "roadmap", "forecast", "invoice", "prototype", "test report", "supplier list", "press release",
	"slide deck", "risk register", "data room", "release notes", "travel plan", "security review", "org chart",
}

var subjects = []string{
	"{quarter} numbers", "{project}: {thing} for review", "Re: {thing}", "Fwd: {project} kick-off", "Budget {quarter}/2026: first draft",
	"Action required: {thing} by {day}", "Lunch on {day}?", "{project} weekly report #{number}", "Minutes: {project} steering",
	"Question about the {thing}", "[{project}] build {number} is green", "Invoice {number} from Fabrikam", "Your order has shipped",
	"Reminder: {thing} due {day}", "Hiring: {number} open positions", "Café & croissants on {day}", "Überarbeitete Planung {project}",
	"Новости проекта {project}", "Ενημέρωση για {project}", "تقرير {project}", "关于{project}的更新", "{project}の進捗について",
	"RE: AW: {project} / \"final\" <v{number}>", "Out of office", "Welcome to {project}! 🎉", "URGENT!!! {thing}",
}

var sentences = []string{
	"The {thing} for {project} is ready for your review.",
	"{person} and I went through the {thing} this morning, and most of it holds.",
	"We are {number}% over the plan, mostly because of travel.",
	"Could you send me the latest {thing} before {day}?",
	"The supplier confirmed delivery of {number} units on {day}.",
	"Please have a look at section {number} and tell me what you think.",
	"Revenue for {quarter} came in at {money}, slightly above the forecast.",
	"I have moved the meeting to {day} so that {person} can join.",
	"The customer asked for a discount of {number} percent; I said we would come back to them.",
	"Nothing blocks the release of {project} any more except the {thing}.",
	"Legal has no objection as long as the {thing} names the right entity.",
	"Let's keep it simple: one page, three numbers, one decision.",
	"The tests ran {number} times without a failure.",
	"As agreed with {person}, the {thing} goes out on {day}.",
	"Thanks for the quick answer, that helps a lot.",
	"I could not find the {thing} in the shared folder; has it been renamed?",
	"We should book the room early, {day} is popular.",
	"The auditor wants to see all invoices above {money}.",
	"Attached is what I have so far; the figures for {quarter} are still missing.",
	"{person} will be away until {day}; please ask me in the meantime.",
	"The prototype survived {number} hours in the climate chamber.",
	"Shall we postpone the {thing} until after the {project} launch?",
	"My estimate is {money}, give or take ten percent.",
	"There is a typo on slide {number}, otherwise it is good to go.",
}

var phrases = []string{
	"Vielen Dank für die schnelle Rückmeldung!", "Straße, Größe, Äpfel: alles geprüft.", "On en reparle à la réunion de jeudi.",
	"¿Puedes revisar el informe mañana?", "Zażółć gęślą jaźń.", "Спасибо, посмотрю сегодня вечером.", "Отчёт готов, прикладываю файл.",
	"Καλημέρα, τα λέμε αύριο στις δέκα.", "شكراً جزيلاً على المساعدة.", "يرجى مراجعة الملف المرفق.", "谢谢，我明天看一下。",
	"请查收附件中的报告。", "お世話になっております。資料を添付いたします。", "了解です、ありがとうございます！", "감사합니다, 확인하겠습니다.",
	"धन्यवाद, कल मिलते हैं।", "תודה רבה, נדבר מחר.",
}

var emojis = []string{"👍", "🎉", "🚀", "😀", "❤️", "👩‍💻", "👏🏽", "☕", "🇪🇺", "✅", "🙏", "👨‍👩‍👧‍👦"}

var quips = []string{
	"ok", "Thanks!", "on it", "brb", "lgtm", "+1", "Works for me", "Done.", "Can you check?", "no idea", "see you at 10",
	"danke!", "merci", "спасибо", "ευχαριστώ", "شكرا", "谢谢", "了解です",
}

var fileStems = []string{
	"{project} {thing}", "{thing} {quarter} 2026", "{quarter} numbers v{number}", "Minutes {project} {number}", "{project}-{thing}-final",
	"Copy of {thing} ({number})", "Vertrag {project}", "Résumé {project}", "отчёт {quarter} {number}", "προϋπολογισμός {number}",
	"تقرير {number}", "报告 {project} {number}", "議事録 {project} {number}", "IMG_{number}{number}", "scan{number}{number}", "notes {number}",
}
