"""Made-up people, by script: parts of names as their language writes them, and how they are read.

Where vowels are not written, the second form says them, in the notation that `standards` starts
from. Nobody here exists; the parts are common and combined by a seed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.pairs import standards
from tests.pairs.standards import Spell


@dataclass(frozen=True, slots=True)
class Stock:
    """Names of one script: (own letters, what standards start from), given and family."""

    script: str
    given: tuple[tuple[str, str], ...]
    family: tuple[tuple[str, str], ...]
    spellings: dict[str, Spell]
    family_first: bool = False
    together: bool = False


def _both(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((word, word) for word in text.split())


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    for pair in text.split(";"):
        own, _, read = pair.strip().partition("=")
        found.append((own.strip(), read.strip()))
    return tuple(found)


STOCKS: tuple[Stock, ...] = (
    Stock(
        "cyrillic-russian",
        _both(
            "Анна Ольга Светлана Ирина Юлия Людмила Наталья Екатерина Ксения Любовь Дмитрий Андрей"
            " Сергей Алексей Михаил Евгений Никита Фёдор Григорий Юрий Илья Тимур Руслан Снежана"
        ),
        _both(
            "Щукина Жукова Чернышёва Воробьёва Цветаева Хохлова Ершова Юшкевич Быстрицкая Гусева"
            " Кузнецова Яблокова Третьякова Зайцева Шишкина Филатова Подольская Рыжкова"
        ),
        standards.RUSSIAN,
    ),
    Stock(
        "cyrillic-ukrainian",
        _both(
            "Олександр Олена Ганна Світлана Юлія Катерина Наталія Тетяна Дмитро Андрій Сергій"
            " Микола Володимир Євген Ігор Галина Оксана Людмила Надія Богдан Зоряна Соломія"
        ),
        _both(
            "Григоренко Шевчук Ковальчук Щербина Їжакевич Головко Гончар Петренко Яценюк Цимбал"
            " Кириленко Хоменко Жадан Чорновіл Левицька Бойчук Савчук Мельниченко"
        ),
        standards.UKRAINIAN,
    ),
    Stock(
        "arabic",
        _pairs(
            "محمد=muḥammad;أحمد=aḥmad;يوسف=yūsuf;خالد=khālid;عبد الرحمن=ʿabd al-raḥmān;حسين=ḥusayn;"
            "مصطفى=muṣṭafā;إبراهيم=ibrāhīm;فاطمة=fāṭima;خديجة=khadīja;أمينة=amīna;عائشة=ʿāʾisha;"
            "زينب=zaynab;نور=nūr;سعاد=suʿād;هدى=hudā;جميلة=jamīla;ليلى=laylā;شيماء=shaymāʾ;"
            "عبد القادر=ʿabd al-qādir;طارق=ṭāriq;ياسمين=yāsmīn;رقية=ruqayya;بلال=bilāl"
        ),
        _pairs(
            "الخطيب=al-khaṭīb;حداد=ḥaddād;بن صالح=bin ṣāliḥ;المصري=al-maṣrī;شاهين=shāhīn;"
            "يعقوب=yaʿqūb;الغزالي=al-ghazālī;عثمان=ʿuthmān;جبريل=jibrīl;قاسم=qāsim;نجار=najjār;"
            "سليمان=sulaymān;الزهراني=al-zahrānī;درويش=darwīsh;منصور=manṣūr;شريف=sharīf"
        ),
        standards.ARABIC,
    ),
    Stock(
        "persian",
        _pairs(
            "گلناز=gulnāz;مریم=maryam;شیرین=shīrīn;فرزانه=farzāna;پریسا=parīsā;زهرا=zahrā;"
            "آرش=ārash;بهرام=bahrām;کاوه=kāva;جمشید=jamshīd;نرگس=nargis;سهراب=suhrāb;ژاله=zhāla;"
            "پرویز=parvīz;لیلا=laylā;حمید=ḥamīd"
        ),
        _pairs(
            "کریمی=karīmī;رضایی=riżāʾī;حسینی=ḥusaynī;احمدی=aḥmadī;صادقی=ṣādiqī;نوری=nūrī;"
            "جعفری=jaʿfarī;قاسمی=qāsimī;مرادی=murādī;تهرانی=tihrānī;شیرازی=shīrāzī;یوسفی=yūsufī"
        ),
        standards.PERSIAN,
    ),
    Stock(
        "urdu",
        _pairs(
            "عائشہ=ʿāʾisha;نازیہ=nāziya;فرحت=farḥat;بشریٰ=bushrā;رخسانہ=rukhsāna;شبنم=shabnam;"
            "عمران=ʿimrān;طارق=ṭāriq;کامران=kāmrān;وقاص=waqqāṣ;زبیدہ=zubayda;ثمینہ=samīna;"
            "گل=gul;ندیم=nadīm"
        ),
        _pairs(
            "چوہدری=chaudhrī;قریشی=qureshī;بٹ=butt;صدیقی=ṣiddīqī;مرزا=mirzā;شیخ=shaykh;"
            "بھٹی=bhattī;ملک=malik;درانی=durrānī;انصاری=anṣārī;خٹک=khattak;لودھی=lodhī"
        ),
        standards.URDU,
    ),
    Stock(
        "hebrew",
        _pairs(
            "שרה=sara;רבקה=rivka;יעל=yael;חנה=ẖana;מיכל=mikhal;תמר=tamar;דוד=david;יוסף=yosef;"
            "משה=moshe;יצחק=yitsẖak;אליהו=eliyahu;שלמה=shlomo;נעמי=naomi;אסתר=ester"
        ),
        _pairs(
            "כהן=kohen;לוי=levi;מזרחי=mizraẖi;פרץ=perets;ביטון=biton;פרידמן=fridman;אברהמי=avrahami;"
            "רוזנברג=rozenberg;שפירא=shapira;חדד=ẖadad;גולדשטיין=goldshtein;אזולאי=azulai"
        ),
        standards.HEBREW,
    ),
    Stock(
        "greek",
        _both(
            "Παναγιώτης Ευαγγελία Γεώργιος Δημήτριος Αικατερίνη Χριστίνα Ελένη Ιωάννης Βασιλική"
            " Σταυρούλα Νικόλαος Κωνσταντίνος Φωτεινή Θεοδώρα Σπυρίδων Αθανάσιος"
        ),
        _both(
            "Παπαδόπουλος Ευαγγελόπουλος Χατζηδάκης Οικονόμου Μπακάλης Γιαννόπουλος Αγγελίδης"
            " Βλάχος Θεοδωρίδης Ψαρράς Καραγιάννης Ξενάκης Δημητρίου Φωτίου"
        ),
        standards.GREEK,
    ),
    Stock(
        "ethiopic",
        _both("አበበ ሰላማዊት ተስፋዬ አልማዝ ሙሉጌታ ገነት ዳዊት ትዕግስት ብርሃኑ መሠረት ሐና ሣራ ዮሐንስ ኃይሉ ፍሬሕይወት ሰናይት"),
        _both("ተክለ ከበደ ገብረማርያም ወልደ በቀለ ታደሰ ግርማ ደስታ አሰፋ መኮንን ሀብታሙ ዘውዴ ጌታቸው ንጉሤ"),
        standards.ETHIOPIC,
    ),
    Stock(
        "devanagari",
        _pairs(
            "प्रिया=priyā;लक्ष्मी=lakṣmī;सुनीता=sunītā;राहुल=rāhul;विजय=vijay;कृष्णा=kr̥ṣṇā;"
            "दीपक=dīpak;शांति=śānti;पूजा=pūjā;अनिल=anil;संगीता=sangītā;मीना=mīnā;ज्योति=jyoti;"
            "रमेश=rameś;सीमा=sīmā;चंदन=candan"
        ),
        _pairs(
            "शर्मा=śarmā;गुप्ता=guptā;थापा=thāpā;यादव=yādav;चौधरी=caudharī;पटेल=paṭel;मिश्रा=miśrā;"
            "गुरुंग=gurung;तमांग=tamāng;वर्मा=varmā;जोशी=jośī;श्रेष्ठ=śreṣṭha"
        ),
        standards.HINDI,
    ),
    Stock(
        "bengali",
        _pairs(
            "সুমাইয়া=sumāiẏā;ফাতেমা=phātemā;রহিমা=rahimā;নাসরিন=nāsrin;শারমিন=śārmin;তাসলিমা=tāslimā;"
            "রফিক=raphik;আনিকা=ānikā;জাহিদ=jāhid;মিতা=mitā;রুবিনা=rubinā;সজীব=sajīb"
        ),
        _pairs(
            "আক্তার=āktār;হোসেন=hosen;চৌধুরী=caudhurī;রহমান=rahmān;মজুমদার=majumdār;সরকার=sarkār;"
            "বিশ্বাস=biśbās;দাস=dās;তালুকদার=tālukdār;মিয়া=miẏā;শিকদার=śikdār;কবির=kabir"
        ),
        standards.BENGALI,
    ),
    Stock(
        "thai",
        _pairs(
            "สมชาย=somchai;สมหญิง=somying;มาลี=mali;วิภา=wipha;สุดา=suda;อารีย์=ari;กมล=kamon;"
            "ประเสริฐ=prasoet;วิไล=wilai;นิภา=nipha;สมศักดิ์=somsak;จินตนา=chintana;มานี=mani;ชูใจ=chuchai"
        ),
        _pairs(
            "ใจดี=chaidi;แสงทอง=saengthong;บุญมี=bunmi;ศรีสุข=sisuk;ทองดี=thongdi;วงศ์ไทย=wongthai;"
            "รักไทย=rakthai;พรหมมา=phromma;สายบัว=saibua;มีสุข=misuk"
        ),
        standards.THAI,
    ),
    Stock(
        "han",
        _pairs(
            "小明=xiao·ming;伟=wei;丽华=li·hua;秀英=xiu·ying;建国=jian·guo;美玲=mei·ling;志强=zhi·qiang;"
            "桂芳=gui·fang;晓燕=xiao·yan;国栋=guo·dong;雪梅=xue·mei;文博=wen·bo;静=jing;海涛=hai·tao"
        ),
        _pairs(
            "王=wang;李=li;张=zhang;陈=chen;刘=liu;赵=zhao;黄=huang;周=zhou;徐=xu;孙=sun;朱=zhu;高=gao;林=lin;郭=guo"
        ),
        standards.PINYIN,
        family_first=True,
        together=True,
    ),
    Stock(
        "hangul",
        _pairs(
            "민수=min·su;영희=yeong·hui;지성=ji·seong;은정=eun·jeong;현우=hyeon·u;수진=su·jin;미경=mi·gyeong;"
            "성호=seong·ho;혜진=hye·jin;동현=dong·hyeon;하늘=ha·neul;보라=bo·ra"
        ),
        _pairs(
            "김=kim;이=lee;박=park;최=choi;정=jung;강=kang;조=cho;윤=yoon;장=jang;한=han;신=shin;송=song"
        ),
        standards.HANGUL,
        family_first=True,
        together=True,
    ),
    Stock(
        "latin-vietnamese",
        _pairs(
            "Thị Hồng=Thị Hồng;Văn Dũng=Văn Dũng;Thị Hoa=Thị Hoa;Minh Tuấn=Minh Tuấn;Thị Thanh Hà=Thị Thanh Hà;"
            "Quốc Bảo=Quốc Bảo;Thị Lan=Thị Lan;Đức Anh=Đức Anh;Ngọc Ánh=Ngọc Ánh;Văn Hùng=Văn Hùng;Thị Mai=Thị Mai;"
            "Hữu Phước=Hữu Phước"
        ),
        _both("Nguyễn Trần Lê Phạm Hoàng Phan Vũ Đặng Bùi Đỗ Hồ Ngô Dương Lý"),
        {k: v for k, v in standards.MARKED.items() if k != "icao"},
        family_first=True,
    ),
    Stock(
        "latin-spanish",
        _pairs(
            "María José=María José;José Luis=José Luis;Ana Lucía=Ana Lucía;Juan Carlos=Juan Carlos;Concepción=Concepción;"
            "Íñigo=Íñigo;Rocío=Rocío;Begoña=Begoña;Andrés=Andrés;Mónica=Mónica;Raúl=Raúl;Yolanda=Yolanda;Ximena=Ximena"
        ),
        _pairs(
            "García López=García López;Núñez de la Cruz=Núñez de la Cruz;Hernández Ruiz=Hernández Ruiz;"
            "Peña Ortiz=Peña Ortiz;Muñoz Vega=Muñoz Vega;Ibáñez Soto=Ibáñez Soto;Quiñones Díaz=Quiñones Díaz;"
            "Jiménez Gil=Jiménez Gil;Cárdenas Mora=Cárdenas Mora;Zúñiga Prado=Zúñiga Prado"
        ),
        standards.MARKED,
    ),
    Stock(
        "latin-europe",
        _both(
            "Jürgen Łukasz Søren Françoise Zoë Björn Gheorghe Małgorzata Ştefan Željko Đorđe Ágnes Jiří"
            " Žaneta Ünal Gülşen Nuño Éloïse Håkon Ilinca"
        ),
        _both(
            "Müller Żółkiewski Sørensen Lefèvre Ångström Ionescu Grześkiewicz Popović Đurić Horváth Dvořák"
            " Öztürk Şahin Çelik Ferreira Groß Lindström Băsescu Kovačević Świątek"
        ),
        standards.MARKED,
    ),
    Stock(
        "latin-africa",
        _both(
            "Ngozi Chinedu Aminata Ousmane Fatoumata Kwame Abena Adaeze Oluwaseun Blessing Mamadou Awa"
            " Ibrahima Nkechi Temitope Wanjiru Otieno Achieng Yetunde Efua"
        ),
        _both(
            "Okonkwo Adeyemi Traoré Diallo Mensah Boateng Nwosu Keïta Coulibaly Mwangi Odhiambo Kamara"
            " Balogun Eze Sesay Ndiaye Touré Okafor Asante Bangura"
        ),
        standards.MARKED,
    ),
)
