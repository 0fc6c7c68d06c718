"""Pairs written by hand before anybody looked at how they are judged; nobody here exists.

Of the first reading, 49 of 52 were found and 3 of 30 near misses were hits; what was mended since
are rules (names with "Abd", titles), not these pairs.
"""

SAME = """
Yevgeniya Zaytseva|Evgenija Zajceva
Mykhailo Khmelnytskyi|Mikhail Hmelnitskij
Ahmad Zaki al-Tamimi|Ahmed Zeki Tamimi
Umm Kulthum Bakr|Oum Kalthoum Bakr
Aziza bint Omar|Azizah Omar
Thanh Nguyen Thi|Nguyễn Thị Thanh
Tsegaye Gebremedhin|ጸጋዬ ገብረመድኅን
Chidinma Nwachukwu|Chidimma Nwachukwu
Xochitl Guadalupe Pérez|Sochil Guadalupe Peres
Shaikh Abdul Kareem|Abdulkarim Shaikh
Md. Rafiqul Islam|Mohammad Rafiqul Islam
Kim Jong-hyun|Kim Chong-hyŏn
Choi Soo-young|최수영
Hsieh Mei-ling|Xie Meiling
Lyudmyla Tsybulko|Людмила Цибулько
Gjergj Kastrioti|Gergj Kastrioti
Aleksander Wójcik|Alexander Wojcik
O'Connor Siobhan|Siobhan OConnor
Jean-Baptiste Mbeki|Jean Baptiste M'Beki
Fatoumata Binta Diallo|Fatou Diallo
Sergey Nikolayevich Ivanov|Serhii Ivanov
Anne-Marie Dupont|Annemarie Dupont
Zsófia Nagy|Nagy Zsofia
Ioannis Papadopoulos|Yannis Papadopulos
Hovhannes Petrosyan|Յովհաննէս Պետրոսյան
Giorgi Beridze|გიორგი ბერიძე
Pham Van Minh|Minh Pham
Rajesh Kumar Singh|राजेश कुमार सिंह
Priyanka Chaudhary|प्रियंका चौधरी
Mehdi Rostami|مهدی رستمی
Shahnaz Ghorbani|شهناز قربانی
Zubaida Chaudhry|زبیدہ چوہدری
Moshe Ben-David|משה בן דוד
Yitzhak Rabinovich|יצחק רבינוביץ
Suthida Phongsai|สุธิดา พงษ์ไทร
Wanida Chaiyasit|วนิดา ชัยสิทธิ์
Tigist Assefa Bekele|Tigist Asefa
Eleni Konstantinou|Ελένη Κωνσταντίνου
Abdoulaye Diop|عبد الله ديوب
Hadiza Abubakar|Hadiza Abu Bakar
Christina Müller-Schmidt|Kristina Mueller Schmidt
Mariam Toure|Maryam Touré
Olena Bondarenko|Елена Бондаренко
Nadezhda Krupskaya|Nadiya Krupska
María del Carmen Ortiz|Carmen Ortiz
Ana Beatriz da Silva|Beatriz Silva
Dmytro Yushchenko|Dmitri Iouchtchenko
Ayaan Hirsi|Ayan Hersi
Salma Al Sayegh|سلمى الصايغ
Liu Xiaobo|劉曉波
Chang Wei|张伟
Nguyen Van A Tuan|Nguyễn Anh Tuấn
"""
NEAR = """
Ahmed Hassan Ali|Ahmed Hussein Ali
Olena Shevchenko|Oksana Shevchenko
Fatima Diallo|Fanta Diallo
Amina Hassan|Amina Hussein
Ivan Kovalenko|Ivan Kovalchuk
Maria Popescu|Mariana Popescu
John Okafor|Jane Okafor
Grace Mensah|Gracious Mensah
Li Wei|Li Na
Kim Min-ji|Kim Min-su
Nguyen Thi Lan|Nguyen Thi Linh
Priya Sharma|Pooja Sharma
Mohammed Karim|Mohammed Karam
Sara Cohen|Sara Kahana
Ana Garcia Lopez|Ana Garcia Perez
Tesfaye Bekele|Tesfaye Kebede
Rahima Begum|Rahela Begum
Somchai Jaidee|Somsak Jaidee
Khadija Mohamed|Khalid Mohamed
Anna Schmidt|Anna Schneider
Petr Novák|Pavel Novák
Aleksandra Kowalska|Aleksander Kowalski
Yusuf Demir|Yunus Demir
Leyla Aydin|Leyla Aydogan
Hawa Kamara|Hawa Conteh
Mary Wanjiru|Mercy Wanjiru
Samuel Mwangi|Samson Mwangi
Abdul Rahman Khan|Abdul Rahim Khan
Nasrin Akter|Nasima Akter
Daniela Ramos|Gabriela Ramos
"""


def lines(table: str) -> list[tuple[str, str]]:
    """Return the pairs of a table."""
    rows = (line.partition("|") for line in table.strip().splitlines())
    return [(one, other) for one, _, other in rows]
