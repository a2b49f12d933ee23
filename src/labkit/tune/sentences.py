"""Plain business sentences with places for people and things: what the name tagger reads besides documents of a world.

``{N}`` is a full name, ``{F}`` and ``{L}`` its parts, ``{I}`` initial and surname, ``{T}`` a company, place or product,
``{C}`` a country or town, ``{s}`` a verb of people, ``{W}`` a common word at the start of a sentence,
``{w}`` one inside, ``{d}`` a number, ``{p}`` and ``{m}`` a phone number and an address.
"""

from __future__ import annotations

_SAYING_WORDS = """
says said tells told asks asked calls called wants wanted thinks thought knows knew promised promises
mentioned mentions hinted hints explains explained insists insisted agrees agreed replied replies writes wrote
reads loves loved hates likes hopes hoped chairs chaired brings brought joins joined leads led runs ran signed
laughed laughs admits admitted suggested reckons remembers remembered forgot apologised apologized complained
answered rang phoned noticed noted offered prefers doubts believes believed worries raised received opened
invited thanked smiled visited retired arrived emailed refused
"""
SAYING = _SAYING_WORDS.split()
"""What people do and things rarely do."""

WITH_PEOPLE = """
From: {N} <{m}>
To: {N} <{m}>
Cc: {N}, {N}
Sent by {N}, {T}
Dear {F},
Hi {F}, hope you are well.
Hello {F}! {W} the {w} when you can.
Hey {F} -
Dear Mr {L},
Dear Ms {L} and Mr {L},
Sehr geehrte Frau {L},
Hallo {F},
Bonjour {F},
Beste {F},
Kind regards, {N}
Best, {F}
Yours sincerely, {N}, {T}
Many thanks / {F}
Thanks, {F} ({p})
Regards {L}
Thx, {F}
Cheers {F}
> Ta, {F}
/{F}
{F} {L}
Ring {F} after {d}:{d}, whatever {w}.
Cb {F} re {w}
Cb {F} {p} {w}
Call {F} before {d}:{d}, even if {w}.
Phone {F} at {d}:{d}.
Ask {F} to {w} the {w}.
Tell {F} by {d} May.
Remind {F} if you {w}.
the {w} of {L} and those of {L} ({m})
born like {L} ({d})
Deputy for {L}: {p}
{L}'s office {w} it on.
{w}, and {F} on the phone {w}.
who {w}? {F}. {w}
though {F} again {w} the {w}.
{W} {w}, {w} {w}, per {w} – {F} {s} {w}.
{F} {s} the {w}.
{F} {s} at {w}, {w} {w}.
{F} {s} again, the {w} {w}.
{L} {s} the {w} and {s} {w}.
{L} {s} {w} {w}.
{F} also {s} the {w} {w}.
{F} {s} us in the {w} with {w}.
{F} {s} us {w}; {F} {s}.
{F} {s}, {F} {s} the {w}.
{N} {s} that {w} {w}.
{N} {s} the {w} in {d}.
When {F} is away, {F} {s} the {w}.
{w}, and then {F} {s} the {w}.
{F} was {w} first and had no {w}.
{F} was {s} by {L}.
{F} has {w} the {w}.
{F} is {w} until {d} May.
According to {N}'s {w} the {w} is {p}.
{N}'s {w} {w} the {w}.
{F}'s {w} and {L}'s {w} are {w}.
{w} for {F}, who {s} {w}.
{w} {w} in the name of {N}.
{N}, {w} {w} on their side, {s} a {w}.
Pass request for {N}: {w} {d}
Visitor list: {N}, {N}, {w} {d}
[{d}:{d}] {N}: {L}, with two {w}
[{d}:{d}] {N}: {F}. {w}
{N} ({d}:{d}): {F}, I {w}
{w} from {F}, {w} with the {w}.
Offer by {F} on {d} May.
Tel. back: {F}, {p}
{F}, you {w} me about the {w} on Monday.
{F}, this {w} your {w} of {d} May.
{F}, {w} here.
Hi {F}, {F} and all,
“{W} {w} {w} the {w}.” ({N})
"{W} {w}, {w} {w}," said {F}.
'{W} {w}' – {N}, {T}
Pass for {N}: born {d}, {w} {d}
Guest: {N}, arrives {d} June
For {N} the form says {d}.
From {N}, {T}, no {w}.
The site manager, {N}, {w} it.
{F} paid the {w} and {w} it back.
{F} received the {w} with {w}.
{F} opened the {w}, {w} as always.
Then {F} {w} the {w} and told us {w}.
Compared {w} with {L}; {w} {w}.
{L}, with one {w}, as one says it
ask for {F}.
whom to ask: {F}, {p}
Mit freundlichen Grüßen, {N}
{N} wrote:
On Tuesday {N} wrote:
> {F}: can you check the {w}?
{d}:{d} {N}: ok
{d}:{d} {F}: who has the {w}
{d}:{d} {N}: ask {F}
{F}: done, see the {w}
[{d}:{d}] <{F}> {w} again
Author: {N}
Authors: {N}, {N}
Prepared by {N}, reviewed by {N}.
Owner: {N}
Contact: {N}, {p}
Lead: {N}
Manager | {N} | {p}
{N} | {T} | {w} {w}
{w} | {d} | {N}
{w} | {F} | {w}
Name: {N}
Attendees: {N} ({T}), {F}, {N}
Present: {F}, {F} and {L}. Apologies: {N}.
Signed: {N}
Approved by {I} on {d}.{d}.{d}
Checked {I}, {w} {w}.
{N} ({w} manager) {w} the {w}.
{N}, {w} lead at {T}, {w} that the {w} was {w}.
{T} is represented by {N}.
{T}'s {w} contact is {N}.
{F} {w} the {w} and {F} {w} it.
{F} and {F} {w} the {w} at {T}.
{F} {w} {d} {w} of {T}.
{F} from {T} {w} the {w}.
{F} thinks the {w} is {w}.
{F} said {w} {w}, which nobody at {T} believed.
{F} has been {w} since {d}.
{F} will {w} the {w} next week.
{F} was first on site; {F} came later.
{F}'s {w} was {w}.
{L}'s {w} went to {T}.
{W} {F} before you {w} the {w}.
{W} {w} to {F} or {F}.
{W} {w} by {F}, {w} by {F}, {d} {w}.
{W} {w} {w} {N} of {T}.
{W} was {w} by {N}.
{W} the {w} with {F}.
Ask {F} for the {w}.
Call {F} on {p}.
Call {N} ({p}) before you enter {T}.
Met {F} at {T}, {w} as ever.
Spoke to {N} about the {w}.
Talked to {F} at lunch; the {w} is {w}.
Told {F} and the {w} team.
According to {F} the {w} is {w}.
Thanks to {F} for the {w}.
With {F} on leave, {F} covers the {w}.
The {w} that {F} {w} is {w}.
The {w} belongs to {N}, born {d}.
The {w} was {w} to {F} {w}.
The {w} met {N} and {N} there.
The new {w} at {T}, {N}, starts on Monday.
We {w} {F}, who {w} the {w}.
We owe {F} a {w}.
I asked {F} twice. {F} did not {w}.
I gave the {w} to {L}.
She is called {F}, he is {F}.
My colleague {F} {w} {w}.
Our {w}, {F}, {w} at {T}.
Their buyer {N} {w} the {w}.
A {w} called {N} {w} {w}.
Visitor {N}, badge {d}.
Driver {L}, {T}, gate {d}.
Nurse {L} and Dr. {L} {w} the {w}.
Professor {L} of {T} {w} the {w}.
Engineer {N} {w} {T} in {d}.
{N} joined {T} in {d} as {w} {w}.
{N} has {w} {T} since {d} {w}.
{N} leads the {w} team; {N} is deputy.
{N} succeeded {N} as head of {w}.
Led by {N} until {d}.
After {F} {w}, {T} {w} too.
When {F} {w}, call {L}.
If {F} is out, {L} {w}.
Because {F} {w} the {w}, {T} {w}.
Only {F} and {L} {w} the {w}.
{W}: {F}, {L}, {F}
{W} – {F}, {w} {w}
{W}; {F} to {w}
{W} ({F}) {w}
- {F}: {w} the {w}
- {W} {w} ({F})
{d}. {F} to {w} the {w} by {d}/{d}
@{F} please {w}
cc {F}
attn {N}
c/o {N}, {T}
on behalf of {N}
in the name of {N}
The customer, {N}, {w} a {w}.
{N} of {T} {w} us: {p}, {m}.
{N} lives nearby and {w} the {w}.
For {F} the {w} is {w}; for {T} it is {w}.
""".strip().split("\n")

WITHOUT_PEOPLE = """
{T} {w} the {w}.
{T} {w} {d} {w} of {T}.
{T} and {T} {w} the {w}.
{T} has been {w} since {d}.
{T} will {w} the {w} next week.
{T} said {w} {w} about the {w}.
{T} was {w} by {T}.
{T}'s {w} was {w}.
{T}, {T} and {T} {w}.
{T} | {d} | {T}
{w} | {T} | {w} {w}
{W} | {W} | {W} {w}
{T}: {w} {d}
{W}: {T}, {T}
{W} – {T}
Site: {T}
Customer: {T}
Supplier: {T}
Product: {T}
Call {T} before you {w}.
Ask {T} for the {w}.
Ask the {w} for {T}.
According to {T} the {w} is {w}.
Arrived at {T}, left for {T}.
Shipped from {T} to {T}.
The {T} {w} {w}.
The {w} at {T} is {w}.
The {w} of the {T} {w}.
Every {T} in {T} has a {w}.
A {T} and two {T} units {w}.
We {w} {T} in March and {T} in May.
I {w} the {T} {w}.
In {T} the {w} {w}.
From {T}, {d} {w}.
At {T} nobody {w}.
After {T} {w}, {T} {w} too.
When {T} {w}, {w} the {w}.
{W} the {w}.
{W} {w} {w} {w}.
{W} {w}, {w} {w}; {w}.
{W} {w} {d} {w}. {W} {w}.
{W} {W} {W}
{W} {w} {w} {W}
{W} and {W}
{W}'s {w}
- {W} the {w}
- {W}: {w} {d}
{d}. {W} {w} {w}
{d}:{d} {W}: {w} {w}
Dear customer,
Dear all,
Hello everybody,
Hi team,
Kind regards
Best, the {T} team
From: {T} <{m}>
To: {W} Team <{m}>
Contact: {T}, {p}
Signed for {T}
Owner: {W} {w}
Lead: {w} team
Monday {w}, Tuesday {w}, Friday {w}.
Thx
Thank-you to the {w}, they {w} it.
E-mail the {w} to the {w} team.
{W}-{w} {w} in the {w}.
A hotel in {C} is {w}.
The {w} is at {C}, {w} hall
A {w} at {C} {w} it.
Visit to {C}
To: {C}
Visit report, {C}, {w}
{w} on the shelf at {C}, {d} pieces
{C} {w} showed us {w}.
{T} {w} was {w} by the {T} {w}.
The {w} {T}.
the {T} {w} has {d} {w}
{d} {w} for the {T} {w}
Letters for {T} go by way of {C}.
We {w} near {C} and {w} to {C}.
{T} is located in {C}.
{T}, {C}, {w} on the left
{w} until {d}:{d}, so half the {w} {w}
a {T} that does not {w}
one {w} of {T} {w} on board
all {d} {T}s {w}
two {T} and one {T} {w}
Am Montag gibt es {W} im {W}, solange der {W} reicht.
Die {W} an der {W} wurde in der letzten {W} repariert; die {W} bleibt offen.
Bitte legt eure {W} in den {W} neben der {W}.
Der {W} aus {T} kommt mit einer neuen {W} und zwei alten {W}.
Im {W} der {W} steht seit gestern ein {W} ohne {W}.
Wir haben den {W}, die {W} und das {W} geprüft. Das {W} war gut.
Nach drei {W} geht der {W} an die {W} über, die {W} {W} haben.
Das {W} für {W} und {W} ist im {W} zu finden.
Beim {W} bitte {W} tragen, sonst kein {W}.
Les {w} de la {w} sont {w} dans le {w}. Portez des {w} {w}.
Venez avec vos {w}. Pensez à la {w}, merci.
La {w} del {w} está en la {w}. Traed {w}. Buen {w} a todos.
De {w} van het {w} ligt bij de {w}. Neem je {w} mee.
On Monday {T} {w}; on 3 March {T} {w}.
January {d}, {W} {w}
A {T} {w} beside a second {T}.
{T} {d} of {d}, {T} {d} {w}.
The {w} has a {T} and no other {T}.
{T} spares, {T} {w}, {T} {d}
{W} {w}, {T}, {w} {w}
The {w} is on the shelf at {T}, {d} pieces in the {w}.
Site of {W}-{d} is {T}, since that is where it {w}.
{T}: {w} of the {w} and {w}
{w} {w} in {C}.
{C} and {C} {w} the {w}.
The {w} comes from {C}; {T} is in {C}.
{w} | {C} | {T} | {d}
Site | {C} | {d}
{W} of Asia, Africa and Europe {w}.
Feb {d}, Mar {d}, Sep {d}, Mon and Thu
Created: {d} Feb {d}, Status: {W}
Mr and Mrs are titles; so is Dr.
English, German and Polish {w} are in {T}.
NOTE: {W} THE {T}
{W}-{d} {w} {W}-{d}
""".strip().split("\n")
