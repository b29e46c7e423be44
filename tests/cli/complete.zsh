# What zsh shows when Tab is pressed twice after $LINE: it is typed into a shell of its own.
zmodload zsh/zpty
zpty shell 'zsh -f -i'
send() { zpty -w shell "$1" }
send 'stty columns 120; PS1=; unsetopt beep zle_bracketed_paste; autoload -Uz compinit'
send 'compinit -u -d ./zcompdump; eval "$(ckpt completion zsh)"; setopt auto_list; unset zle_bracketed_paste'
send 'print -r -- "rea""dy"'
local text= part
integer tries=0
while [[ $text != *ready* && tries -lt 100 ]]; do
	while zpty -rt shell part; do text+=$part; done
	sleep 0.1; (( tries++ ))
done
zpty -wn shell "$LINE"$'\t'
sleep 0.5
zpty -wn shell $'\t'
text=
for tries in {1..15}; do
	while zpty -rt shell part; do text+=$part; done
	sleep 0.1
done
print -r -- "$text"
zpty -d shell
