"""Made-up notes in which whatever tells who somebody is, is marked: {kind|words}.

Kinds: `own` a name of the case's own person, `name` somebody else's, `phone`, `number`, `email`,
`reference`, `birth`. All people are made up. Notes without a mark must stay without a remark.
"""

from __future__ import annotations

import re

OWN_NAMES = (
    "Zaziwe Testperson-Notreal",
    "Amina Obvious-Madeup",
    "أمينة مختلق",
    "Оксана Выдумкина",
    "王小明",
)
OWN_PHONES = ("+15550100199",)
OWN_PAPERS = ("XK1234567",)

NOTES = (
    # English
    "{own|Zaziwe} slept well; {own|Amina Obvious-Madeup} is how her papers call her.",
    "Came with her brother {name|Karim Madeup} and left before noon.",
    "She says the broker is called {name|Gorgon Fiction}. He wants money.",
    "Met {name|Fatima Example} at the office. Follow-up on 2026-12-03.",
    "Her number is {phone|+1 555 010 0199}, ask for the aunt.",
    "Write to {email|made.up@example.org} about the hearing.",
    "Passport {number|XK1234567} was taken away.",
    "See {reference|CV-7K3M-9QXP} for the sister.",
    "{own|zaziwe} came late, as every week.",
    "Spoke to {name|Mrs Placeholder} on the ward.",
    "Residence card {number|AB 7654321} runs out in March.",
    "The landlord {name|Ivan Invented} threatened her.",
    "Born on {birth|1999-03-02} as she says.",
    # French
    "Son frère {name|Karim Fictif} habite ici. {own|Zaziwe} ne veut pas le voir.",
    "Elle s'appelle {own|Amina} dans ses papiers.",
    "L'homme, nommé {name|Dupont-Inventé}, la suit.",
    "Téléphone : {phone|+33 6 12 34 56 78}.",
    "{name|Mme Fictive} du foyer a rappelé.",
    # Spanish
    "Su hermana {name|Lucía Inventada} vive en otra ciudad.",
    "El jefe, llamado {name|Ramiro Ficticio}, tiene su pasaporte.",
    "Llama a {name|María} por la noche. Correo: {email|nadie@example.net}",
    # Russian, Ukrainian
    "Её зовут {own|Оксана}, по паспорту {own|Выдумкина}.",
    "Сестру зовут {name|Марина Придумова}, живёт отдельно.",
    "Вчера приходил {name|Пётр}. Телефон {phone|+7 912 345 67 89}.",
    "Подруга {name|Светлана} ждёт её дома.",
    # Arabic, Persian
    "وصلت {own|أمينة} متأخرة اليوم.",
    "الرجل اسمه {name|قاسم} ويهددها.",
    "تحدثت مع {name|فاطمة} عن السكن.",
    "اتصلت {name|السيدة فلانة} من المستشفى.",
    "رقمها {phone|+962 7 9000 0000} للطوارئ.",
    "ذهبت {name|لخديجة} في المساء.",
    # Others
    "{own|王小明}说她想学焊接。",
    "Ο αδερφός της λέγεται {name|Γιώργος} και μένει μακριά.",
    "ከ{name|ዳዊት} ጋር መጣች",
    # Nobody: ordinary notes that must stay without a remark.
    "Sleeps better. Wants to learn to weld. Next visit on 2026-12-14 at 10:30.",
    "She hopes to start the course in May; there is hope. Will the office open in June?",
    "The Red Cross shelter in the north is full until Friday. Called twice.",
    "Paid 1,200 in rent, 3 months in advance; from 2019 to 2021 she lived elsewhere.",
    "Needs: food, a bed, legal advice. Her brother was there. The broker threatened her.",
    "Faith matters to her. Joy came back slowly. She will rise early.",
    "Elle dort mieux et veut apprendre un métier. Son frère est venu la voir.",
    "Rendez-vous le 12/01/2027 à la mairie. Elle garde espoir.",
    "Duerme mejor. Su hermana llamó ayer. La esperanza vuelve, dice.",
    "Спит лучше. Хочет учиться. Надежда есть, вера тоже. Приём 14.12.2026.",
    "تنام أفضل الآن وتريد أن تتعلم مهنة. كل شيء حسن وجميل.",
    "زوجها يعمل في مدينة أخرى ولا تريد أن تراه. هذا العام كان صعبا.",
    "她想学一门手艺,最近睡得好一些。",
    "Follow-up with the lawyer. Documents 2 of 3 are here. Room 12, bed 4.",
    "Interpreter needed for Tigrinya. Hearing moved from Monday to Thursday.",
    "The Ministry of Interior asked for a form. Embassy of Fictionland closed.",
    "Mother and daughter share a room. Doctor on Tuesday, 18 December 2026.",
    "Said that the uncle of a friend has the passport. Police report filed.",
)
# Written after the rules were settled, and looked at once: nothing was tuned to them.
UNSEEN = (
    "The neighbour {name|Olga Fabricated} brought soup; {own|Zazive} ate it all.",
    "{own|Testperson}, as the guard calls her, asked for a lawyer.",
    "Her cousin {name|Hassan} drove her here at night.",
    "He goes by the alias {name|Viper} in that town.",
    "Old number {phone|0044 20 7946 0000} no longer works.",
    "ID card no. {number|98 7654 3210} was copied by the recruiter.",
    "Talked with {name|Daniel} and {name|Blessing} about the flat.",
    "Sent the form to {email|f.iction@example.com} yesterday.",
    "Sa tante {name|Awa Inexistante} garde les enfants.",
    "Le passeur se fait appeler {name|Moussa}.",
    "Vit chez {name|Ibrahim} depuis mars.",
    "Su primo {name|Tomás Imaginario} la acompañó al centro.",
    "Habló con {name|Rosa Ficticia} en el refugio.",
    "Её брат {name|Иван Несуществующий} живёт в другом городе.",
    "Муж {name|Алексей} угрожал ей по телефону.",
    "{own|Оксане} стало лучше.",
    "أخوها {name|كريم} لا يعرف مكانها.",
    "قالت إن صاحب العمل يدعى {name|زياد}.",
    "سافرت {own|أمينة} مع {name|مريم} أمس.",
    "شقيقتها {name|سعاد} حامل.",
    "和{own|王小明}一起来的。",
    "{name|Αικατερίνη} τη βοήθησε με το ταξίδι.",
    "Lives with {name|Nguyen Thi Example} now.",
    # Rare names that nothing announces: the tables do not know them.
    "Spoke with {name|Xhevrije} about the rent.",
    "{name|Tserphel} took the bus with her.",
    "Elle a dormi chez {name|Ngozika} cette nuit.",
    "Вчера видела {name|Гюльчатай} на рынке.",
    "جاءت {name|زينوبيا} إلى المكتب.",
    "Nobody came. The Court of Appeal sits on Monday. Bring the blue folder.",
    "Told her about the Violence Restraining Order and the Safe House rules.",
    "Good progress: two lessons, one visit, no pain. Angel of the north she calls it.",
    "April was hard; in August she starts school at Springfield College.",
    "La Maison des Femmes ferme à 18 h. Rien de grave.",
    "El Centro de Día abre en abril. Quiere ser costurera.",
    "Суд в понедельник. Нужен переводчик с английского.",
    "الموعد القادم يوم الاثنين في المحكمة مع المحامية.",
    "تحتاج إلى سرير وطعام ونصيحة قانونية.",
    "明天去医院复查,带上文件。",
    "Θέλει να μάθει μια τέχνη. Κοιμάται καλύτερα.",
)
_MARK = re.compile(r"\{(\w+)\|([^}]*)\}")


def marked(note: str) -> tuple[str, list[tuple[int, int, str]]]:
    """Return the note without its marks, and where they were: start, end, kind."""
    plain, places, at = "", [], 0
    for one in _MARK.finditer(note):
        plain += note[at : one.start()]
        places.append((len(plain), len(plain) + len(one[2]), one[1]))
        plain += one[2]
        at = one.end()
    return plain + note[at:], places
